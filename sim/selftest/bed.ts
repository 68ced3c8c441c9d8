/**
 * A test bed: one direction of a link as in a world, with packets that are only numbers.
 *
 * What is measured is the way of a datagram in `world/transit.ts`: the same queue of events, pool and stages as under a game,
 * without hosts and sockets at the ends.
 */

import type { Micros } from '../../sys/api.ts';
import type { DirectionOptions } from '../link/direction-options.ts';
import type { LinkDirection } from '../link/link.ts';
import type { Streams } from '../world/streams.ts';
import { DUE_ARRIVAL, DUE_DEPARTURE } from '../world/timeline.ts';
import { Transit } from '../world/transit.ts';

/** Told of each arrival, copies too. */
export type OnArrival = (packet: number, sentAt: Micros, now: Micros) => void;

export class Bed {
  readonly direction: LinkDirection;
  readonly transit: Transit;
  readonly #onArrival: OnArrival;

  /** @param name its chance hangs on it: another name, other fates */
  constructor(streams: Streams, name: string, options: DirectionOptions, onArrival: OnArrival) {
    this.transit = new Transit(streams);
    this.direction = this.transit.addDirection(name, options);
    this.#onArrival = onArrival;
  }

  get now(): Micros {
    return this.transit.timeline.now;
  }

  /** Sends `packet` (an int32 of the caller) of `lengthBytes` payload now. */
  send(packet: number, lengthBytes: number): void {
    this.transit.send(this.direction, this.transit.pool.takeBlank(lengthBytes, 0, packet));
  }

  /** Lets time pass to `until`, which the clock then shows. */
  advance(until: Micros): void {
    const { timeline, pool } = this.transit;
    while (timeline.take(until)) {
      if (timeline.kind === DUE_DEPARTURE) this.transit.depart(timeline.id);
      else if (timeline.kind === DUE_ARRIVAL) {
        const { id } = timeline;
        this.direction.stats.delivered++;
        this.#onArrival(pool.mark[id]!, pool.sentAt[id]!, timeline.now);
        pool.release(id);
      }
    }
    timeline.skipTo(until);
  }

  /** Packets in the queue and on the line. */
  get inSystem(): number {
    const { queue } = this.direction;
    return queue === null ? 0 : queue.stats.entered - queue.stats.departed;
  }
}
