/** Nobody measures a round trip shorter than its path. */

import type { Micros } from '../../sys/api.ts';
import type { DirectionOptions } from '../link/direction-options.ts';
import type { Fates } from '../link/fates.ts';
import type { SwarmConnection } from './connection.ts';
import type { ClientPlan } from './plan.ts';

/** A clock that is set to another pace within a round trip rounds twice. */
const ROUNDING_MICROS = 2;

/** Complaints about both ends of a connection, whose clocks have run slower by so many millionths at most (0 or less). */
export function tooShortTrips(one: SwarmConnection, plan: ClientPlan, fates: Fates, slowestPpm: number): string[] {
  const shortest = shortestTrip(one.name, plan, fates, slowestPpm);
  return one.ends().flatMap((stats, end) => {
    if (!stats.rttIsMeasured || stats.rttMinMicros >= shortest) return [];
    const side = end === 0 ? 'client' : 'server';
    return `${one.name}: the ${side} measured a round trip of ${stats.rttMinMicros} us where it takes ${shortest} us`;
  });
}

/** The least time that a packet and its answer can take, by the clock of either end. */
function shortestTrip(name: string, { up, down }: ClientPlan, fates: Fates, slowestPpm: number): Micros {
  const ways: readonly [string, DirectionOptions][] = [
    [`${name}>server`, up],
    [`server>${name}`, down],
  ];
  const shortest = ways.reduce((sum, [direction, { latencyMicros = 0, jitterMicros = 0 }]) => {
    const early = fates.replaces ? -fates.earliest(direction) : jitterMicros;
    return sum + latencyMicros - early;
  }, 0);
  if (slowestPpm === 0) return shortest;
  return Math.floor((shortest * (1_000_000 + slowestPpm)) / 1_000_000) - ROUNDING_MICROS;
}
