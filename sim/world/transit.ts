/**
 * Datagrams under way: takes each from the sender through the stages of its direction (`link.ts`) to its arrival.
 *
 * A datagram without a bottleneck before it is decided on at once and costs one event, its arrival. One that has to queue
 * costs two: it leaves the line, and its loss and delay are decided then.
 */

import { type Micros, NEVER } from '../../sys/api.ts';
import { type AimdOptions, AimdSource } from '../link/aimd-source.ts';
import { type Bottleneck, NO_PACKET, UNNUMBERED } from '../link/bottleneck.ts';
import { type CbrOptions, CbrSource } from '../link/cbr-source.ts';
import { EXTENSION_BYTES_MAX, INTACT } from '../link/corrupt.ts';
import type { DirectionOptions } from '../link/direction-options.ts';
import { NO_COPY } from '../link/duplicate.ts';
import type { Fates } from '../link/fates.ts';
import { ADMITTED, CUT, type DirectionWatcher, FAULT_RELEASE, LinkDirection, LOST, TOO_LARGE } from '../link/link.ts';
import { DatagramPool, NONE } from './datagram-pool.ts';
import {
  Digest,
  EVENT_CORRUPTED,
  EVENT_CUT,
  EVENT_DELIVERED,
  EVENT_DUPLICATED,
  EVENT_ENTERED,
  EVENT_LINK_FAULT,
  EVENT_LOST,
  EVENT_POLICED,
  EVENT_QUEUE_DROP,
  EVENT_SENT,
  EVENT_TOO_LARGE,
} from './digest.ts';
import { HeldDatagrams } from './held-datagrams.ts';
import type { Stranger } from './stranger.ts';
import type { Streams } from './streams.ts';
import { DUE_ARRIVAL, DUE_DEPARTURE, Timeline } from './timeline.ts';

/**
 * Counters of the whole network:
 * `sent + duplicated = delivered + lost + queueDropped + cut + tooLarge + policed + unheard + overflowed + under way`,
 * always; what a direction holds is under way.
 */
export interface NetworkStats {
  /** Datagrams that entered a direction. */
  sent: number;
  /** Copies that links made. */
  duplicated: number;
  /** Came to a direction that was cut. */
  cut: number;
  /** Larger than the MTU of a link. */
  tooLarge: number;
  /** Dropped by a policer. */
  policed: number;
  /** Dropped by a queue before a line, or by a direction that held as many as it can. */
  queueDropped: number;
  /** Lost in the air. */
  lost: number;
  /** Went on with other bytes than they had; among those that were delivered, unheard or overflowed. */
  corrupted: number;
  /** Put into a receive buffer, or taken by a source of cross traffic. */
  delivered: number;
  /** Arrived where no socket is bound, or at a mapping that its NAT does not have (any more). */
  unheard: number;
  /** Arrived at a full receive buffer. */
  overflowed: number;
  /** Never sent: no host has the address. */
  unreachable: number;
}

/** All directions and bottlenecks of a world, and what is on them. */
export class Transit implements DirectionWatcher {
  readonly timeline: Timeline = new Timeline();
  readonly pool: DatagramPool = new DatagramPool();
  readonly digest: Digest = new Digest();
  readonly stats: NetworkStats = {
    sent: 0,
    duplicated: 0,
    cut: 0,
    tooLarge: 0,
    policed: 0,
    queueDropped: 0,
    lost: 0,
    corrupted: 0,
    delivered: 0,
    unheard: 0,
    overflowed: 0,
    unreachable: 0,
  };
  /**
   * Told of each event of a datagram before it takes effect: one of EVENT_*, and a datagram that is in the pool, where its bytes
   * and addresses are. What befalls hosts and ways it does not hear of: that is `Digest.watch`'s, which has no bytes.
   */
  observer: ((kind: number, id: number) => void) | null = null;
  /** By their numbers; a removed one stays in its place until another takes its number. */
  readonly directions: LinkDirection[] = [];
  /** Cross traffic, by its numbers. */
  readonly sources: (AimdSource | CbrSource)[] = [];
  /** What directions hold, by their numbers. */
  readonly held: HeldDatagrams;
  /** Takes a datagram that has arrived after it was held. */
  arrive: (id: number) => void = (id) => this.arriveAtSource(id);

  /** Scripts and records of what becomes of packets; null, as nearly always: chance alone decides. */
  readonly fates: Fates | null;
  /** Who listens on every path and sends copies; null: nobody. */
  stranger: Stranger | null = null;
  readonly #streams: Streams;
  /** By their numbers: those that a datagram has met. */
  readonly #bottlenecks: Bottleneck[] = [];
  /** Numbers of those that were removed. */
  readonly #freeDirections: number[] = [];
  readonly #freeBottlenecks: number[] = [];

  constructor(streams: Streams, fates: Fates | null = null) {
    this.#streams = streams;
    this.held = new HeldDatagrams(this.pool);
    this.fates = fates;
  }

  /** A new direction; its chance hangs on the name. */
  addDirection(name: string, options: DirectionOptions): LinkDirection {
    const number = this.#freeDirections.at(-1) ?? this.directions.length;
    const made = new LinkDirection(name, number, this.#streams, options);
    made.watcher = this;
    if (this.fates !== null) made.follow(this.fates.of(name));
    this.#freeDirections.pop();
    this.directions[number] = made;
    return made;
  }

  /** Gives back the numbers of a direction on which nothing is under way (`LinkDirection.underWay`), and of its own queue. */
  removeDirection(direction: LinkDirection): void {
    this.#freeDirections.push(direction.number);
    const own = direction.queue;
    if (own !== null && own.number !== UNNUMBERED) this.#freeBottlenecks.push(own.number);
  }

  /** A new source of cross traffic; its chance hangs on the name. */
  addSource(name: string, options: AimdOptions): AimdSource {
    const made = new AimdSource(this, name, this.sources.length, this.#streams.stream(`aimd/${name}`), options);
    this.sources.push(made);
    return made;
  }

  /** As `addSource`, of packets at a constant rate. */
  addCbrSource(name: string, options: CbrOptions): CbrSource {
    const made = new CbrSource(this, name, this.sources.length, this.#streams.stream(`cbr/${name}`), options);
    this.sources.push(made);
    return made;
  }

  /** Sends datagram `id`, whose payload and addresses are in the pool, into `direction` now. The id is ours from here. */
  send(direction: LinkDirection, id: number): void {
    const { pool } = this;
    const now = this.timeline.now;
    const length = pool.lengthBytes[id]!;
    pool.direction[id] = direction.number;
    pool.index[id] = direction.enter(length);
    pool.sentAt[id] = now;
    this.stats.sent++;
    if (this.observer !== null) this.observer(EVENT_ENTERED, id);
    if (this.stranger !== null) this.stranger.see(direction, id);
    const admission = direction.admit(length, now);
    if (admission !== ADMITTED) {
      this.#refuse(admission, id);
      return;
    }
    const bottleneck = direction.bottleneck;
    if (bottleneck === null) {
      const arrival = direction.cross(pool.index[id]!, now);
      if (arrival !== LOST) this.mix(EVENT_SENT, id);
      this.#fly(direction, id, arrival);
      return;
    }
    if (bottleneck.number === UNNUMBERED || this.#bottlenecks[bottleneck.number] !== bottleneck) this.#meet(bottleneck);
    const free = bottleneck.nextDeparture === NEVER;
    if (bottleneck.enter(id, length, now)) {
      this.mix(EVENT_SENT, id);
      if (free) this.timeline.schedule(bottleneck.nextDeparture, DUE_DEPARTURE, bottleneck.number);
      else this.#collectDropped(bottleneck);
      return;
    }
    this.#dropAtQueue(id);
  }

  /** A datagram leaves the line of bottleneck `number`. */
  depart(number: number): void {
    const bottleneck = this.#bottlenecks[number]!;
    const id = bottleneck.leave();
    this.#collectDropped(bottleneck);
    if (bottleneck.nextDeparture !== NEVER) {
      this.timeline.schedule(bottleneck.nextDeparture, DUE_DEPARTURE, number);
    }
    const direction = this.directions[this.pool.direction[id]!]!;
    this.#fly(direction, id, direction.cross(this.pool.index[id]!, this.timeline.now));
  }

  /** Datagram `id` of a source of cross traffic arrives. */
  arriveAtSource(id: number): void {
    this.mix(EVENT_DELIVERED, id);
    this.directions[this.pool.direction[id]!]!.stats.delivered++;
    this.stats.delivered++;
    this.sources[this.pool.source[id]!]!.arrive(id);
    this.pool.release(id);
  }

  /** Datagram `id` has come to the end of a direction that holds: it waits there for the release. */
  hold(direction: LinkDirection, id: number): void {
    if (this.held.add(direction.number, id)) direction.stats.held++;
    else this.#dropAtQueue(id);
  }

  /** A direction was cut, mended, held or released. */
  onFault(direction: LinkDirection, fault: number): void {
    const { held } = this;
    const waiting = held.count(direction.number);
    this.digest.mix(this.timeline.now, EVENT_LINK_FAULT, direction.number, fault, waiting, 0);
    // At once and not by events: what is due at this instant besides must not come before them.
    if (fault === FAULT_RELEASE) for (let i = 0; i < waiting; i++) this.arrive(held.take(direction.number));
  }

  #refuse(admission: number, id: number): void {
    this.mix(admission === CUT ? EVENT_CUT : admission === TOO_LARGE ? EVENT_TOO_LARGE : EVENT_POLICED, id);
    if (admission === CUT) this.stats.cut++;
    else if (admission === TOO_LARGE) this.stats.tooLarge++;
    else this.stats.policed++;
    this.pool.release(id);
  }

  /** Takes back what the queue has dropped of what waited in it. */
  #collectDropped(bottleneck: Bottleneck): void {
    for (let id = bottleneck.takeDropped(); id !== NO_PACKET; id = bottleneck.takeDropped()) this.#dropAtQueue(id);
  }

  #dropAtQueue(id: number): void {
    this.mix(EVENT_QUEUE_DROP, id);
    this.directions[this.pool.direction[id]!]!.stats.dropped++;
    this.stats.queueDropped++;
    this.pool.release(id);
  }

  /** Datagram `sent` is lost, or arrives at `arrival`, perhaps with other bytes, perhaps with a copy. */
  #fly(direction: LinkDirection, sent: number, arrival: Micros): void {
    const { pool, stats } = this;
    if (arrival === LOST) {
      this.mix(EVENT_LOST, sent);
      stats.lost++;
      pool.release(sent);
      return;
    }
    const kind = direction.corrupt.kind(pool.index[sent]!);
    const id = kind === INTACT || pool.source[sent] !== NONE ? sent : this.#damage(direction, sent, kind);
    this.timeline.schedule(arrival, DUE_ARRIVAL, id);
    const extra = direction.copyExtraMicros(pool.index[id]!);
    if (extra === NO_COPY) return;
    this.mix(EVENT_DUPLICATED, id);
    direction.stats.duplicated++;
    stats.duplicated++;
    this.timeline.schedule(arrival + extra, DUE_ARRIVAL, pool.copy(id));
  }

  /** The datagram with other bytes; it may have another number. Its bytes are its own, so nobody else sees them. */
  #damage(direction: LinkDirection, sent: number, kind: number): number {
    const { pool } = this;
    const id = pool.withRoom(sent, EXTENSION_BYTES_MAX);
    const length = pool.lengthBytes[id]!;
    const left = direction.corrupt.damage(pool.index[id]!, kind, pool.arenaOf(id), pool.offsetOf(id), length);
    pool.changed(id, left);
    this.mix(EVENT_CORRUPTED, id);
    direction.stats.corrupted++;
    this.stats.corrupted++;
    return id;
  }

  /** Something happens to datagram `id` now: whoever watches is told, and the digest. */
  mix(kind: number, id: number): void {
    const { pool } = this;
    if (this.observer !== null) this.observer(kind, id);
    this.digest.mix(
      this.timeline.now,
      kind,
      pool.direction[id]!,
      pool.index[id]!,
      pool.lengthBytes[id]!,
      pool.hash[id]!,
    );
  }

  /** The first datagram comes to a bottleneck: it gets its number. */
  #meet(bottleneck: Bottleneck): void {
    if (bottleneck.number !== UNNUMBERED) {
      throw new Error(`bottleneck '${bottleneck.name}' is of another world: make one with this world's bottleneck()`);
    }
    bottleneck.number = this.#freeBottlenecks.pop() ?? this.#bottlenecks.length;
    this.#bottlenecks[bottleneck.number] = bottleneck;
  }
}
