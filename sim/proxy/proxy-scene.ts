/**
 * A proxy as the scene of a timeline: lines with their cross traffic, links and NATs, and no hosts, which are real.
 *
 * Clients come and go, so links are set by kinds of clients (`scenario/client-kinds.ts`): a kind remembers what was done to it, for
 * those that come later. The timeline begins with the first client.
 */

import { type Micros, NEVER } from '../../sys/api.ts';
import type { AimdOptions } from '../link/aimd-source.ts';
import { Bottleneck } from '../link/bottleneck.ts';
import type { BottleneckOptions } from '../link/bottleneck-options.ts';
import type { CbrOptions } from '../link/cbr-source.ts';
import { Chance } from '../link/chance.ts';
import type { DirectionOptions } from '../link/direction-options.ts';
import type { LinkDirection } from '../link/link.ts';
import { ClientKinds } from '../scenario/client-kinds.ts';
import type { PlayedWay, Scene } from '../scenario/scene.ts';
import { NONE } from '../world/datagram-pool.ts';
import type { Streams } from '../world/streams.ts';
import { DUE_ACT } from '../world/timeline.ts';
import type { Transit } from '../world/transit.ts';
import type { Mappings } from './mappings.ts';
import type { ProxyClients } from './proxy-clients.ts';

const SERVER = 'server';

/** What a file says of the network of a proxy (`scenario/proxy-scenario.ts` reads it). */
export interface ProxyScenario {
  /** Which clients fare alike. */
  readonly kinds: ClientKinds;
  /** Sets up lines and links; what it returns begins the timeline. */
  readonly open: (scene: Scene) => () => void;
}

/** All clients alike, and nothing ever happens. */
const STILL: ProxyScenario = { kinds: new ClientKinds([], 1), open: () => () => {} };

/** One way of the links of a kind. */
class KindWay implements PlayedWay {
  options: DirectionOptions;
  #isCut = false;
  #isHolding = false;
  readonly #members: () => readonly LinkDirection[];

  constructor(options: DirectionOptions, members: () => readonly LinkDirection[]) {
    this.options = options;
    this.#members = members;
  }

  configure(options: DirectionOptions): void {
    this.options = options;
    for (const member of this.#members()) member.configure(options);
  }

  cut(): void {
    this.#isCut = true;
    for (const member of this.#members()) member.cut();
  }

  mend(): void {
    this.#isCut = false;
    for (const member of this.#members()) member.mend();
  }

  hold(): void {
    this.#isHolding = true;
    for (const member of this.#members()) member.hold();
  }

  release(): void {
    this.#isHolding = false;
    for (const member of this.#members()) member.release();
  }

  /** A new member, which has the options already, meets the rest. */
  welcome(member: LinkDirection): void {
    if (this.#isCut) member.cut();
    if (this.#isHolding) member.hold();
  }
}

interface Kind {
  readonly up: KindWay;
  readonly down: KindWay;
  natTimeoutMicros: Micros;
}

export class ProxyScene implements Scene {
  readonly hosts = null;
  readonly #transit: Transit;
  readonly #streams: Streams;
  readonly #clients: ProxyClients;
  readonly #mappings: Mappings;
  readonly #of: ClientKinds;
  readonly #kinds: readonly Kind[];
  readonly #bottlenecks: Map<string, Bottleneck> = new Map();
  /** By number; numbers of acts that were done are given out again. */
  readonly #acts: (() => void)[] = [];
  readonly #freeActs: number[] = [];
  /** Begins the timeline; null once it has. */
  #begin: (() => void) | null;
  /** World time at which it began. */
  #beganAt: Micros = 0;

  /** Throws RangeError for links that cannot be. */
  constructor(
    transit: Transit,
    streams: Streams,
    clients: ProxyClients,
    mappings: Mappings,
    links: { readonly link: DirectionOptions; readonly down?: DirectionOptions; readonly scenario?: ProxyScenario },
  ) {
    const { link, down = link, scenario = STILL } = links;
    this.#transit = transit;
    this.#streams = streams;
    this.#clients = clients;
    this.#mappings = mappings;
    this.#of = scenario.kinds;
    this.#kinds = scenario.kinds.first.map((_, kind) => ({
      up: new KindWay(link, () => this.#members(kind).map((client) => clients.up[client]!)),
      down: new KindWay(down, () => this.#members(kind).map((client) => clients.down[client]!)),
      natTimeoutMicros: NEVER,
    }));
    this.#begin = scenario.open(this);
  }

  get now(): Micros {
    return this.#transit.timeline.now - this.#beganAt;
  }

  /** The first client is here: the timeline begins now. True the first time: what it does at its time 0 is due now. */
  begin(): boolean {
    const begin = this.#begin;
    if (begin === null) return false;
    this.#begin = null;
    this.#beganAt = this.#transit.timeline.now;
    begin();
    return true;
  }

  /** A new client, with the address at `words[at ..]`, and the link of its kind; NONE: no more may come. */
  admit(words: Int32Array, at: number): number {
    const clients = this.#clients;
    const number = this.#of.of(clients.nextName);
    const { up, down, natTimeoutMicros } = this.#kinds[number]!;
    const client = clients.add(words, at, up.options, down.options);
    if (client === NONE) return NONE;
    clients.kind[client] = number;
    clients.natTimeoutMicros[client] = natTimeoutMicros;
    clients.sentAt[client] = this.#transit.timeline.now;
    up.welcome(clients.up[client]!);
    down.welcome(clients.down[client]!);
    return client;
  }

  at(time: Micros, act: () => void): void {
    const id = this.#freeActs.pop() ?? this.#acts.length;
    this.#acts[id] = act;
    this.#transit.timeline.schedule(this.#beganAt + time, DUE_ACT, id);
  }

  /** Act number `id` is due. */
  take(id: number): void {
    const act = this.#acts[id]!;
    this.#freeActs.push(id);
    act();
  }

  addBottleneck(name: string, options: BottleneckOptions): void {
    const chance = new Chance(this.#streams.stream(`bottleneck/${name}`));
    this.#bottlenecks.set(name, new Bottleneck(name, options, chance));
  }

  bottleneckNamed(name: string): Bottleneck | null {
    return this.#bottlenecks.get(name) ?? null;
  }

  addAimdSource(name: string, options: AimdOptions): void {
    this.#transit.addSource(name, this.#later(options));
  }

  addCbrSource(name: string, options: CbrOptions): void {
    this.#transit.addCbrSource(name, this.#later(options));
  }

  way(from: string, to: string): PlayedWay | null {
    if (from === SERVER) return this.#kindOf(to).down;
    return to === SERVER ? this.#kindOf(from).up : null;
  }

  rebind(host: string): void {
    for (const client of this.#members(this.#of.of(host))) this.#mappings.replace(client);
  }

  natTimeout(host: string, timeoutMicros: Micros): void {
    const { natTimeoutMicros, sentAt } = this.#clients;
    this.#kindOf(host).natTimeoutMicros = timeoutMicros;
    for (const client of this.#members(this.#of.of(host))) {
      // A NAT that forgot nothing before counts as just used, as in a world.
      if (natTimeoutMicros[client] === NEVER) sentAt[client] = this.#transit.timeline.now;
      natTimeoutMicros[client] = timeoutMicros;
    }
  }

  /** The same with its times on the clock of the proxy. */
  #later<Options extends AimdOptions | CbrOptions>(options: Options): Options {
    const { startMicros, stopMicros } = options;
    const start = startMicros === undefined ? {} : { startMicros: startMicros + this.#beganAt };
    const stop = stopMicros === undefined ? {} : { stopMicros: stopMicros + this.#beganAt };
    return { ...options, ...start, ...stop };
  }

  #kindOf(host: string): Kind {
    return this.#kinds[this.#of.of(host)]!;
  }

  /** The clients of a kind that are here now. Cost: all clients. */
  #members(kind: number): number[] {
    const clients = this.#clients;
    const members: number[] = [];
    for (let client = 0; client < clients.capacity; client++) {
      if (clients.has(client) && clients.kind[client] === kind) members.push(client);
    }
    return members;
  }
}
