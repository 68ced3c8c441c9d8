/**
 * The swarm: the whole engine in random networks, one seed a run, and everything that it promises checked.
 *
 * A run is a server and a client or two that say messages of all kinds to each other while the network does its worst.
 * Then the network heals, and within a bound everything that was promised has arrived, once and byte for byte, and the
 * connections fall idle. What a seed does is a function of the seed: a failure is repeated with one command.
 */

import type { Server } from '../../engine/server.ts';
import { type Micros, NEVER } from '../../sys/api.ts';
import type { ConnectionStats } from '../../transport/connection-stats.ts';
import { Fates } from '../link/fates.ts';
import type { Fault } from '../link/fault.ts';
import type { TimedFault } from '../link/timed-fault.ts';
import { openEngine } from '../world/engine-host.ts';
import type { SimHost } from '../world/host.ts';
import { longestReplay, type Stranger } from '../world/stranger.ts';
import { TimedFaults } from '../world/timed-faults.ts';
import { World } from '../world/world.ts';
import { SwarmConnection } from './connection.ts';
import { drawFaults } from './draw-faults.ts';
import { Nonces } from './nonces.ts';
import { type ClientPlan, drawPlan, drawStranger, healed, limited, type SwarmPlan } from './plan.ts';
import { ROGUE_ID, Rogue } from './rogue.ts';
import { tooShortTrips } from './round-trips.ts';
import { SECONDS_BY_DEFAULT, type SwarmLimits } from './script.ts';
import { type Sight, Sights } from './sights.ts';
import { SWARM_DECLARATIONS, type SwarmChannels } from './talk.ts';

export interface SwarmOptions {
  readonly seed: string | number;
  /** How long the network does its worst at most, beyond the first 200 ms. Default 0.5. */
  readonly secondsMax?: number;
  /** So many clients. Default: one or two, as drawn. Not among what scripts keep. */
  readonly clients?: number;
  /** What befalls the run in place of chance. Default: chance. */
  readonly faults?: readonly Fault[] | null;
  readonly limits?: SwarmLimits;
  /** Lists the faults (`SwarmReport.faults`). Default false. */
  readonly record?: boolean;
  /** World time at which to stop, with the promises that only the end can break left open. Default: the end. */
  readonly untilMicros?: Micros;
  /** Asked after each complaint: true stops the run, whose report then has no more than has been seen. */
  readonly isEnough?: (complaint: string) => boolean;
  /** Asked after each turn of a host: true stops the run in the same way. */
  readonly isCancelled?: () => boolean;
  /** Told of each event of the network in a line. */
  readonly trace?: (line: string) => void;
}

/** What a run did. */
export interface SwarmReport {
  readonly seed: string;
  readonly digest: string;
  readonly sent: number;
  readonly arrived: number;
  /** Datagrams that hosts sent. */
  readonly packets: number;
  /** From the healing until nothing was under way any more. */
  readonly settledAfterMicros: Micros;
  readonly virtualMicros: Micros;
  /** World time at which the network got well, or would have. */
  readonly healsAt: Micros;
  /** Broken promises, in sentences; none: all is well. */
  readonly complaints: readonly string[];
  /** World time of the first of them; NEVER. */
  readonly firstComplaintAt: Micros;
  /** What befell it, when that was asked for. */
  readonly faults: readonly Fault[];
  /** Of the faults that were given, those that befell something. */
  readonly met: ReadonlySet<Fault>;
  readonly sights: readonly Sight[];
}

const PORT = 40_000;
/** One seed in so many has a rogue among its clients. */
const ROGUE_ONE_IN = 4;
/** The private key of every run. */
const KEY: Uint8Array = new Uint8Array(32).fill(7);
const STEP_MICROS = 50_000;
/**
 * From the healing on everything is there within so long: a few probes at doubled timeouts after a bad time, round trips
 * of up to 0.2 s, and what waits, which is less than 300 KB in most runs;
 */
export const SETTLED_WITHIN_MICROS = 5_000_000;
/** and where megabytes wait, after a long bad time, as long as they need on the slowest line that is drawn, of 2 Mbit/s. */
const MICROS_A_BYTE = 4;
/** After that for so long no packet with a payload leaves, but for the last acks. */
const IDLE_MICROS = 1_000_000;
const IDLE_PACKETS_MAX = 2;
/** An idle client asks each 2 s whether it is heard; so long after it asked, it knows. */
const ANSWERED_MICROS = 500_000;
/** Complaints that a report keeps: the first ones tell, the rest follow from them. */
const COMPLAINTS_MAX = 20;
/** What arrives malformed, refused or unreadable between two honest sides is our own fault. */
const FAULTS: readonly string[] = ['malformedPayloads', 'undecodable', 'extensions'];

/** Ends a run early, on request. */
class Stopped extends Error {}

/** Runs one seed. Resolves also when promises were broken: the report says which. */
export async function runSwarm(options: SwarmOptions): Promise<SwarmReport> {
  const run = new SwarmRun(options);
  try {
    await run.play();
  } catch (error) {
    if (!(error instanceof Stopped))
      run.complain(error instanceof Error ? (error.stack ?? error.message) : String(error));
  }
  return run.report();
}

class SwarmRun {
  readonly #complaints: string[] = [];
  readonly #connections: SwarmConnection[] = [];
  readonly #sights: Sights = new Sights();
  readonly #options: SwarmOptions;
  readonly #fates: Fates;
  readonly #world: World;
  readonly #plan: SwarmPlan;
  readonly #serverHost: SimHost;
  readonly #stranger: Stranger;
  /** World time at which the last of its copies has come. */
  readonly #replayedBy: Micros;
  readonly #timed: TimedFaults;
  readonly #rogue: Rogue | null;
  #rogueIsIn = false;
  readonly #isHostile: boolean;
  #settledAfterMicros: Micros = NEVER;
  /** Bytes that the end with most of them had waiting when the network healed. */
  #mostWaiting = 0;
  #firstComplaintAt: Micros = NEVER;
  #isStopped = false;
  #server: Server<SwarmChannels> | null = null;

  constructor(options: SwarmOptions) {
    const { seed, secondsMax = SECONDS_BY_DEFAULT, faults = null, record = false, limits = {} } = options;
    this.#options = options;
    this.#fates = new Fates({ script: faults ?? [], replaces: faults !== null, record });
    const nonces = new Nonces((text) => this.complain(text));
    const plain = faults === null && !record;
    const world = new World({
      seed,
      openAead: (slots, slotBytes) => nonces.openAead(slots, slotBytes),
      ...(plain ? {} : { fates: this.#fates }),
    });
    if (options.trace !== undefined) world.trace(options.trace);
    const drawn = drawPlan(world.streams.stream('swarm/plan'), secondsMax, options.clients);
    const plan = limited(drawn, limits);
    this.#world = world;
    this.#plan = plan;
    this.#serverHost = world.host('server');
    this.#listen();
    const server = { address: this.#serverHost.address(PORT), key: KEY };
    plan.clients.forEach((client, index) => {
      const host = world.host(`client-${index}`);
      world.link(host, this.#serverHost, client.up, client.down);
      const all = { ...plan, ...client };
      const complain = (text: string): undefined => this.complain(text);
      this.#connections.push(new SwarmConnection(world, host, all, index, server, this.#sights, complain));
    });
    const hostility = drawStranger(world.streams.stream('swarm/stranger'));
    this.#stranger = world.stranger(hostility);
    this.#replayedBy = plan.healsAt + (hostility === null ? 0 : longestReplay(hostility));
    const rogueStream = world.streams.stream('swarm/rogue');
    this.#rogue = rogueStream.below(ROGUE_ONE_IN) === 0 ? new Rogue(rogueStream) : null;
    this.#rogue?.start(world, server, plan.healsAt);
    const clients = drawn.clients.length;
    const befalls = drawFaults(world.streams.stream('swarm/faults'), drawn.healsAt, clients);
    this.#timed = new TimedFaults({
      world,
      fates: this.#fates,
      faults: faults === null ? [...this.#rebindings(), ...befalls] : this.#fates.timed,
      until: plan.healsAt,
      allows: (fault) => this.#allows(fault),
    });
    const isStrange =
      faults === null ? hostility !== null : faults.some(({ kind }) => kind === 'replay' || kind === 'corrupt');
    this.#isHostile = isStrange || this.#rogue !== null;
  }

  complain(text: string): undefined {
    if (this.#isStopped) return;
    if (this.#complaints.length < COMPLAINTS_MAX) this.#complaints.push(text);
    if (this.#firstComplaintAt === NEVER) this.#firstComplaintAt = this.#world.now;
    if (this.#options.isEnough?.(text) === true) this.#isStopped = true;
  }

  report(): SwarmReport {
    const talks = this.#connections.flatMap((one) => [one.toServer, one.toClient]);
    this.#sights.network(this.#world.stats);
    this.#timed.settle();
    for (const { kind } of this.#fates.met) this.#sights.befell(kind);
    for (const host of [this.#serverHost, ...this.#connections.map((one) => one.host)]) this.#sights.host(host);
    return {
      seed: this.#world.seed,
      digest: this.#world.digest(),
      sent: talks.reduce((sum, talk) => sum + talk.sent, 0),
      arrived: talks.reduce((sum, talk) => sum + talk.arrived, 0),
      packets: this.#world.stats.sent,
      settledAfterMicros: this.#settledAfterMicros,
      virtualMicros: this.#world.now,
      healsAt: this.#plan.healsAt,
      complaints: this.#complaints,
      firstComplaintAt: this.#firstComplaintAt,
      faults: this.#fates.recorded,
      met: this.#fates.met,
      sights: this.#sights.seen,
    };
  }

  async play(): Promise<void> {
    for (const { at, act } of this.#timed.steps) {
      await this.#pass(at);
      act();
    }
    await this.#pass(this.#plan.healsAt);
    this.#heal();
    await this.#settle();
    await this.#beIdle();
    for (const one of this.#connections) one.close();
    if (this.#rogueIsIn && this.#rogue!.hasLied) {
      this.complain('a peer that acknowledged what was never sent is still connected');
    }
    this.#countFaults();
  }

  /** Lets time pass up to `until`, or ends the run when that has been asked for. */
  async #pass(until: Micros): Promise<void> {
    const { untilMicros = NEVER, isCancelled } = this.#options;
    const stopWhen = (): boolean => {
      if (isCancelled?.() === true) this.#isStopped = true;
      return this.#isStopped;
    };
    await this.#world.run({ untilMicros: Math.min(until, untilMicros), stopWhen });
    if (this.#isStopped || until > untilMicros) throw new Stopped();
  }

  /** Those of the plan. */
  #rebindings(): readonly TimedFault[] {
    return this.#plan.clients.flatMap(({ rebindAt, rebindAddress: address }, i) =>
      rebindAt === null ? [] : [{ kind: 'rebind', host: this.#connections[i]!.name, at: rebindAt, address } as const],
    );
  }

  /** A new address would be the end of who has no id to be found by, also of an attempt to connect. */
  #allows(fault: TimedFault): boolean {
    if (fault.kind !== 'rebind' && fault.kind !== 'natTimeout') return true;
    const one = this.#connections.find(({ name }) => name === fault.host);
    if (one?.canRebind !== true) return false;
    if (fault.kind === 'rebind') one.rebound();
    return true;
  }

  #heal(): void {
    this.#stranger.stop();
    this.#fates.end();
    this.#plan.clients.forEach((client, i) => {
      const one = this.#connections[i]!;
      this.#checkRoundTrips(one, client);
      this.#world.link(one.host, this.#serverHost, healed(client.up), healed(client.down));
      for (const { waitingBytes } of one.ends()) this.#mostWaiting = Math.max(this.#mostWaiting, waitingBytes);
      one.heal();
    });
  }

  /** Where a stranger's copies are faster than the originals, anything goes. */
  #checkRoundTrips(one: SwarmConnection, client: ClientPlan): void {
    if (this.#isHostile) return;
    const slowestPpm = Math.min(this.#timed.slowestPpm(one.name), this.#timed.slowestPpm('server'));
    for (const text of tooShortTrips(one, client, this.#fates, slowestPpm)) this.complain(text);
  }

  async #settle(): Promise<void> {
    const { healsAt } = this.#plan;
    const within = SETTLED_WITHIN_MICROS + this.#mostWaiting * MICROS_A_BYTE;
    for (let at = healsAt; at < healsAt + within; at += STEP_MICROS) {
      await this.#pass(at);
      if (!this.#connections.every((one) => one.isSettled)) continue;
      this.#settledAfterMicros = this.#world.now - healsAt;
      return;
    }
    for (const one of this.#connections) if (!one.isSettled) this.complain(`${one.describe()} is not settled in time`);
  }

  async #beIdle(): Promise<void> {
    // A copy of what never came from where the client was before is late, but news: it is acknowledged.
    await this.#pass(Math.max(this.#world.now + STEP_MICROS * 4, this.#replayedBy));
    const before = this.#connections.map((one) => one.ends().map((stats) => stats.packetsSent));
    await this.#pass(this.#world.now + IDLE_MICROS);
    this.#connections.forEach((one, i) => {
      one.ends().forEach((stats, end) => {
        const packets = stats.packetsSent - before[i]![end]!;
        const side = end === 0 ? 'client' : 'server';
        if (packets > IDLE_PACKETS_MAX) this.complain(`${one.name}: the idle ${side} sent ${packets} packets`);
      });
    });
    await this.#beEmpty();
  }

  /** Each end has nothing left; one that asks whether it is heard has, until it is answered. */
  async #beEmpty(): Promise<void> {
    let left = this.#connections.flatMap((one) => one.ends().map((_, end) => ({ one, end })));
    for (let waited = 0; ; waited += STEP_MICROS) {
      left = left.filter(({ one, end }) => holdings(one.ends()[end]!) !== null);
      if (left.length === 0 || waited >= ANSWERED_MICROS) break;
      await this.#pass(this.#world.now + STEP_MICROS);
    }
    for (const { one, end } of left) {
      this.complain(`${one.name}: the idle ${end === 0 ? 'client' : 'server'} ${holdings(one.ends()[end]!)}`);
    }
  }

  #countFaults(): void {
    const drops = [this.#server?.drops, ...this.#connections.map((one) => one.client?.drops)];
    for (const one of drops) {
      if (one !== undefined) this.#sights.drops(one);
      // What a stranger has damaged may look like anything, and is dropped: that is not our fault.
      if (this.#isHostile) continue;
      for (const fault of FAULTS) if ((one?.[fault] ?? 0) > 0) this.complain(`${one![fault]} ${fault}`);
    }
  }

  #listen(): void {
    const { tickRateHz, wake, backlogMax, backlogBytesMax, windowBytes } = this.#plan;
    const engine = openEngine(this.#world, this.#serverHost, (text) => this.complain(`server: ${text}`));
    this.#world.start(this.#serverHost, 0, async () => {
      const server = await engine.listen<SwarmChannels>({
        port: PORT,
        host: '0.0.0.0',
        publicAddresses: [this.#serverHost.address(PORT)],
        privateKey: KEY,
        freshKey: true,
        channels: SWARM_DECLARATIONS,
        tickRateHz,
        wake,
        backlogMax,
        backlogBytesMax,
        windowBytes,
      });
      this.#server = server;
      // Nobody for the rogue, whom nothing is promised.
      const of = (clientId: bigint): SwarmConnection | undefined => this.#connections[Number(clientId) - 1];
      server.on('connect', (peer) => {
        if (peer.clientId === ROGUE_ID) this.#rogueIsIn = true;
        of(peer.clientId)?.connected(peer, engine);
      });
      server.on('disconnect', (peer, reason) => {
        if (peer.clientId === ROGUE_ID) {
          this.#rogueIsIn = false;
          this.#sights.see('a rogue cut off', reason.code === 'protocol');
        }
        of(peer.clientId)?.ended('server', reason);
      });
      server.on('path', (peer) => of(peer.clientId)?.moved());
      server.on('message', (peer, channel, message, tag) =>
        of(peer.clientId)?.toServer.hear(channel, message.bytes(message.length), tag),
      );
      server.on('receipt', (peer, receipt, fate) => of(peer.clientId)?.toClient.receipt(receipt, fate));
      server.on('tick', () => {
        for (const peer of server.peers) of(peer.clientId)?.serverTick();
      });
    });
  }
}

/** What an end has not got rid of; null: nothing. */
function holdings(stats: ConnectionStats): string | null {
  const { waitingMessages, waitingBytes, unsettledMessages, inFlightBytes } = stats;
  if (waitingMessages + waitingBytes + unsettledMessages + inFlightBytes === 0) return null;
  return (
    `holds ${waitingMessages} messages of ${waitingBytes} bytes, ${unsettledMessages} without fate, ` +
    `and has ${inFlightBytes} bytes in flight`
  );
}
