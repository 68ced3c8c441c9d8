/**
 * A simulated world: hosts, the links between them, and the loop that lets virtual time pass.
 *
 * The loop takes the next event, delivers a datagram or wakes a host, lets that host's promises settle, and only then
 * moves on. All that happens is a function of the seed and the code: `digest` is the proof.
 */

import { type Micros, NEVER } from '../../sys/api.ts';
import type { AimdOptions, AimdSource } from '../link/aimd-source.ts';
import { Bottleneck } from '../link/bottleneck.ts';
import type { BottleneckOptions } from '../link/bottleneck-options.ts';
import type { CbrOptions, CbrSource } from '../link/cbr-source.ts';
import { Chance } from '../link/chance.ts';
import type { DirectionOptions } from '../link/direction-options.ts';
import type { Fates } from '../link/fates.ts';
import type { LinkDirection } from '../link/link.ts';
import { Acts } from './acts.ts';
import { afterNodeTurn, drainMicrotasks, Guard } from './guard.ts';
import { HOSTS_MAX, type HostOptions, SimHost } from './host.ts';
import type { LatencyHistogram } from './latency-histogram.ts';
import type { RebindOptions } from './nat.ts';
import { Network } from './network.ts';
import { type DatagramObserver, observerOf } from './observer.ts';
import { sharedSimAeads } from './sim-aead.ts';
import type { AeadFactory } from './sim-sys.ts';
import { Stranger, type StrangerOptions } from './stranger.ts';
import { Streams } from './streams.ts';
import { DUE_ACT, DUE_ARRIVAL, DUE_DEPARTURE, DUE_SOURCE, EPOCH_UNIX_SECONDS } from './timeline.ts';
import { tracer } from './trace.ts';
import type { NetworkStats } from './transit.ts';
import { Turns } from './turns.ts';

/** Events between two looks at Node's own loop (signals, a progress bar): some milliseconds of work. */
const EVENTS_PER_SLICE = 4_096;
/** Events at one instant after which the world counts as stuck: something wakes itself without letting time pass. */
const EVENTS_PER_INSTANT_MAX = 2_000_000;

export interface WorldOptions {
  /** Decides every chance of the run. A number and its text are the same seed. */
  readonly seed: string | number;
  /** Links that `link()` did not set. Default: no delay, no loss. */
  readonly link?: DirectionOptions;
  /** Cryptography. Default: the stand-in of the same layout (`SimAead`), since real ciphers take most of a run's time. */
  readonly openAead?: AeadFactory;
  /** What becomes of packets by script, or recorded (`link/fates.ts`). Default: chance alone decides. */
  readonly fates?: Fates;
  /** Real clocks, timers and `Math.random` throw in the game instead of being virtual. Default false. */
  readonly strict?: boolean;
}

/** A world. Not to be shared by two runs: make another one. */
export class World {
  readonly seed: string;
  /** Named streams of this seed, for workloads. */
  readonly streams: Streams;
  readonly #network: Network;
  readonly #turns: Turns;
  readonly #acts: Acts;
  readonly #guard: Guard;
  readonly #openAead: AeadFactory;
  readonly #hosts: Map<string, SimHost> = new Map();
  readonly #bottlenecks: Map<string, Bottleneck> = new Map();
  #failure: { readonly error: unknown } | null = null;
  #running = false;
  #instant: Micros = -1;
  #eventsAtInstant = 0;

  constructor(options: WorldOptions) {
    this.streams = new Streams(options.seed);
    this.seed = this.streams.seed;
    this.#network = new Network(this.streams, options.link ?? {}, options.fates ?? null);
    this.#turns = new Turns(this.#network);
    this.#acts = new Acts(this.#network, this.#turns);
    this.#openAead = options.openAead ?? sharedSimAeads();
    this.#guard = new Guard(
      {
        timeline: this.#network.timeline,
        timers: this.#network.timers,
        currentHost: () => this.#turns.currentHost(),
        calendarMicros: () => this.#turns.current?.clock.calendarMicros() ?? EPOCH_UNIX_SECONDS * 1_000_000 + this.now,
      },
      options.strict ?? false,
    );
  }

  /** World time: microseconds since the world began. */
  get now(): Micros {
    return this.#network.timeline.now;
  }

  /** Counters; live. */
  get stats(): Readonly<NetworkStats> {
    return this.#network.stats;
  }

  /** One-way delays of the datagrams delivered over links. */
  get latency(): LatencyHistogram {
    return this.#network.latency;
  }

  /** Events so far. */
  get events(): number {
    return this.#network.digest.events;
  }

  /** Datagrams on links and in receive buffers now. */
  get datagramsHeld(): number {
    return this.#network.pool.held;
  }

  /** Fingerprint of all that has happened, 32 hexadecimal digits. */
  digest(): string {
    return this.#network.digest.hex();
  }

  /**
   * Tells `observe` of every datagram from now on, with its bytes and addresses, but of cross traffic; null: nobody. For who opens
   * and follows packets, as captures do, in a world as in a proxy. Changes nothing of the run.
   */
  observe(observe: DatagramObserver | null): void {
    this.#network.transit.observer = observe === null ? null : observerOf(this.#network.transit, observe);
  }

  /** Adds a machine. Throws RangeError when the name is taken or the world is full. */
  host(name: string, options: HostOptions = {}): SimHost {
    if (this.#hosts.has(name)) throw new RangeError(`there is a host '${name}' already: names are unique`);
    if (this.#hosts.size >= HOSTS_MAX) throw new RangeError(`a world has at most ${HOSTS_MAX} hosts`);
    const host = new SimHost(this.#network, this.streams, name, this.#hosts.size, this.#openAead, options);
    this.#hosts.set(name, host);
    this.#network.addHost(host);
    if (options.natTimeoutMicros !== undefined) this.natTimeout(host, options.natTimeoutMicros);
    return host;
  }

  /** The host of that name; null when there is none. */
  hostNamed(name: string): SimHost | null {
    return this.#hosts.get(name) ?? null;
  }

  /** The direction from one host to another, to configure and to read its counters. */
  direction(from: SimHost, to: SimHost): LinkDirection {
    return this.#network.direction(from, to);
  }

  /** Every direction that has been asked for or has carried a packet, in that order. */
  get directions(): readonly LinkDirection[] {
    return this.#network.transit.directions;
  }

  /** The shared lines. */
  get bottlenecks(): Iterable<Bottleneck> {
    return this.#bottlenecks.values();
  }

  /** Sets both directions between two hosts. */
  link(a: SimHost, b: SimHost, aToB: DirectionOptions, bToA: DirectionOptions = aToB): void {
    this.direction(a, b).configure(aToB);
    this.direction(b, a).configure(bToA);
  }

  /**
   * From now on the outside sees `host` under another port (and address): a NAT in front of it has forgotten its mappings.
   * Datagrams to the old ones are unheard, and none reaches the host before it has sent from that port again. What passes
   * within the host does not pass the NAT. May be called again. Throws RangeError when the port cannot be.
   */
  rebind(host: SimHost, options: RebindOptions = {}): void {
    this.#network.rebind(host, options);
  }

  /** A stranger on every path from now on, at a host of its own (`stranger.ts`); with null it does only what a script says. */
  stranger(options: StrangerOptions | null): Stranger {
    const made = new Stranger(this.#network.transit, this.streams, this.host('stranger'), options);
    this.#network.transit.stranger = made;
    return made;
  }

  /**
   * Tells `print` of each event from now on, in a line: time, place, index, what, bytes. They are those of the digest, what is
   * done to hosts, NATs and ways among them, and cross traffic too: two runs whose lines are the same so far have done the same
   * to the network. For who reads or compares runs; it sees no bytes. Changes nothing of the run.
   */
  trace(print: (line: string) => void): void {
    this.#network.digest.watch = tracer(this.#network, print);
  }

  /**
   * From now on `host` stands behind a NAT that forgets a port that has sent nothing for so long: what comes in is then
   * unheard, and when it sends again the outside sees another port. NEVER: it forgets nothing (any more). Throws RangeError.
   */
  natTimeout(host: SimHost, timeoutMicros: Micros): void {
    this.#network.natTimeout(host, timeoutMicros);
  }

  /**
   * Nothing passes between the hosts of `a` and those of `b` from now on; with `oneWay` nothing from `a` to `b`. What is under
   * way still arrives. For a single way see `LinkDirection.cut`. Throws RangeError when a host is on both sides.
   */
  partition(a: readonly SimHost[], b: readonly SimHost[], oneWay = false): void {
    for (const direction of this.#network.across(a, b, oneWay)) direction.cut();
  }

  /** Undoes `partition`: of these hosts, or of all when none are given. */
  heal(a?: readonly SimHost[], b?: readonly SimHost[]): void {
    const cut =
      a === undefined || b === undefined ? this.#network.transit.directions : this.#network.across(a, b, false);
    for (const direction of cut) direction.mend();
  }

  /**
   * Ends all code of `host` at once: its sockets, pollers, timers and tasks are gone, nothing is sent, and what it awaits
   * never comes. What is sent to it is unheard. Its clock and its name, addresses and NAT stay.
   */
  crash(host: SimHost): void {
    if (!host.isDown) this.#network.takeDown(host);
  }

  /** Starts a host that has crashed: runs `act` as its code now, which opens an engine anew (`openEngine`). */
  restart(host: SimHost, act: () => unknown): void {
    if (!host.isDown) throw new Error(`host '${host.name}' runs: crash() it before it is started again`);
    host.begin();
    this.start(host, this.now, act);
  }

  /**
   * A line with a queue that several directions share: name it in their options (`bottleneck`) and their flows compete.
   * Throws RangeError when the name is taken or a number is out of its range.
   */
  bottleneck(name: string, options: BottleneckOptions): Bottleneck {
    if (this.#bottlenecks.has(name)) {
      throw new RangeError(`there is a bottleneck '${name}' already: names are unique`);
    }
    const made = new Bottleneck(name, options, new Chance(this.streams.stream(`bottleneck/${name}`)));
    this.#bottlenecks.set(name, made);
    return made;
  }

  /** The bottleneck of that name; null when there is none. */
  bottleneckNamed(name: string): Bottleneck | null {
    return this.#bottlenecks.get(name) ?? null;
  }

  /**
   * Cross traffic: a bulk transfer that fills a bottleneck or a direction as TCP does. Throws RangeError when the name is
   * taken or a number is out of its range.
   */
  aimdSource(name: string, options: AimdOptions): AimdSource {
    this.#checkSourceName(name);
    return this.#network.transit.addSource(name, options);
  }

  /**
   * Cross traffic: packets at a constant rate, all the time or on and off. Throws RangeError when the name is taken or a
   * number is out of its range.
   */
  cbrSource(name: string, options: CbrOptions): CbrSource {
    this.#checkSourceName(name);
    return this.#network.transit.addCbrSource(name, options);
  }

  #checkSourceName(name: string): void {
    if (this.#network.transit.sources.some((source) => source.name === name)) {
      throw new RangeError(`there is a source '${name}' already: names are unique`);
    }
  }

  /**
   * Runs `act` as code of `host` at world time `time`. When it throws, or the promise that it returns rejects, `run()`
   * ends with that error.
   */
  start(host: SimHost, time: Micros, act: () => unknown): void {
    if (host.isDown) throw new Error(`host '${host.name}' is down: restart() it`);
    host.at(time, () => {
      const result = act();
      if (result instanceof Promise) result.catch((error: unknown) => this.#fail(error));
    });
  }

  /**
   * Does `act` to the world at world time `time`, or now if that is past: a link that changes, a host that is bound anew. It
   * is code of no host, so clocks and chance throw in it. Acts of one time are done in the order in which they were given,
   * and before all else that was scheduled later for that time. An error that it throws ends `run()`.
   */
  at(time: Micros, act: () => void): void {
    this.#acts.add(time, act);
  }

  /**
   * Lets time pass up to and including `untilMicros` (NEVER: while anything is due), or until `stopWhen`, asked after each
   * turn of a host, is true. May be called again with a later time. Rejects with the first error of the code that runs
   * inside; the world is then where it was when it happened.
   */
  run(options: { readonly untilMicros: Micros; readonly stopWhen?: () => boolean }): Promise<void> {
    const { untilMicros, stopWhen } = options;
    if (this.#running) return Promise.reject(new Error('this world is running: await run() before the next run()'));
    this.#running = true;
    return new Promise((resolve, reject) => {
      const slice = (): void => {
        try {
          if (this.#slice(untilMicros, stopWhen)) {
            this.#running = false;
            resolve();
          } else afterNodeTurn(slice);
        } catch (error) {
          this.#running = false;
          reject(error);
        }
      };
      // Microtasks can only be drained from a root that is not itself one, and this call may come from an async function.
      afterNodeTurn(slice);
    });
  }

  /** Some events; true when none is left up to `until`, or it is to stop. */
  #slice(until: Micros, stopWhen: (() => boolean) | undefined): boolean {
    const timeline = this.#network.timeline;
    this.#guard.install();
    try {
      this.#turns.settled();
      // Without a way to drain microtasks, each turn of a host ends the slice: Node's loop then runs them.
      let left = drainMicrotasks === null ? 1 : EVENTS_PER_SLICE;
      while (left > 0) {
        if (!timeline.take(until)) {
          if (until !== NEVER) timeline.skipTo(until);
          return true;
        }
        this.#countEvent(timeline.now);
        if (timeline.kind === DUE_ARRIVAL) this.#network.arrive(timeline.id);
        else if (timeline.kind === DUE_DEPARTURE) this.#network.transit.depart(timeline.id);
        else if (timeline.kind === DUE_SOURCE) this.#network.transit.sources[timeline.id]!.turn();
        else {
          if (timeline.kind === DUE_ACT) this.#acts.take(timeline.id);
          else if (!this.#turns.take(timeline.kind, timeline.id)) continue;
          left--;
          if (this.#failure !== null) throw this.#failure.error;
          if (stopWhen?.() === true) return true;
        }
      }
      return false;
    } finally {
      this.#guard.restore();
    }
  }

  #countEvent(now: Micros): void {
    if (now !== this.#instant) {
      this.#instant = now;
      this.#eventsAtInstant = 0;
    } else if (++this.#eventsAtInstant > EVENTS_PER_INSTANT_MAX) {
      throw new Error(
        `the world stands still at ${now} us: host '${this.#turns.current?.name ?? 'none'}' wakes itself without end ` +
          '(a socket that stays readable and is never read, or a timer of 0 that sets itself again)',
      );
    }
  }

  #fail(error: unknown): void {
    this.#failure ??= { error };
  }
}
