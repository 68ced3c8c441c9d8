/** Closed forms of a line and the queue before it: D/D/1 to N*D/D/1. */

import type { Stream, Streams } from '../world/streams.ts';
import { Bed } from './bed.ts';
import { BatchMeans, type Check, exact, share } from './check.ts';
import { exponential } from './exponential.ts';

/** A packet of 1,000 bytes in all takes 1 s of this line: microseconds are then fine enough for any distribution. */
const RATE = 8_000;
const BYTES = 1_000;
const SERVICE_MICROS = 1_000_000;
/** Without headers, so that sizes are what is said. */
const LINE = { rateBitsPerSecond: RATE, overheadBytes: 0 } as const;
const PACKETS = 150_000;
/** Packets before the queue has forgotten that it began empty. */
const WARM_UP = 5_000;

/** The k-th packet of a burst leaves at 8kS/C: whole microseconds, upwards, without drift. */
export function serialisation(streams: Streams): Check[] {
  return [
    [1_000, 3_000_000, 97],
    [10_000, 7_000_000, 1_173],
    [200_000, 999_999_937, 61],
  ].map(([count, rate, bytes]) => {
    let wrong = 0;
    const bed = new Bed(
      streams,
      `serialisation ${count}`,
      { rateBitsPerSecond: rate!, overheadBytes: 0 },
      (k, _, now) => {
        const bits = (k + 1) * bytes! * 8;
        if (now !== Math.ceil((bits * 1_000_000) / rate!)) wrong++;
      },
    );
    for (let k = 0; k < count!; k++) bed.send(k, bytes!);
    bed.advance(1e12);
    return exact(`serialisation: packets of ${count} that leave at another time than 8kS/C`, 0, wrong);
  });
}

/** Nobody waits at a line that is as fast as packets come. */
export function deterministicQueue(streams: Streams): Check[] {
  return [100, 1_000, 10_000].map((count) => {
    let waits = 0;
    const bed = new Bed(streams, `D/D/1 ${count}`, LINE, (_, sentAt, now) => {
      waits += now - sentAt - SERVICE_MICROS;
    });
    for (let k = 0; k < count; k++) {
      bed.advance(k * SERVICE_MICROS);
      bed.send(k, BYTES);
    }
    bed.advance(1e12);
    return exact(`D/D/1, load 1, ${count} packets: wait in all, us`, 0, waits);
  });
}

/** Twice too many: with room for k packets, the first that is dropped is number 2k + 1. */
export function dropOnset(streams: Streams): Check[] {
  return [3, 40, 2_000].map((room) => {
    let first = -1;
    const bed = new Bed(streams, `onset ${room}`, { ...LINE, queueBytes: room * BYTES }, () => {});
    for (let k = 0; k < 3 * room + 3 && first < 0; k++) {
      bed.advance((k * SERVICE_MICROS) / 2);
      bed.send(k, BYTES);
      if (bed.direction.stats.dropped > 0) first = k;
    }
    return exact(`D/D/1, load 2, room for ${room}: first packet that is dropped`, 2 * room + 1, first);
  });
}

/** A probe behind a full queue of B bytes waits B/C and what is left of the packet on the line. */
export function standingDelay(streams: Streams): Check[] {
  return [1, 25, 1_000].map((room) => {
    let last = 0;
    const bed = new Bed(streams, `bufferbloat ${room}`, { ...LINE, queueBytes: room * BYTES }, (_, sentAt, now) => {
      last = now - sentAt;
    });
    for (let k = 0; k < room + 6; k++) bed.send(k, BYTES);
    const dropped = bed.direction.stats.dropped;
    bed.advance(1e12);
    return exact(
      `bufferbloat, ${room} KB before 1 KB/s: longest delay, s (5 dropped)`,
      room + 1,
      last / 1e6 + dropped - 5,
    );
  });
}

/** Wq = rho S / (2 (1 - rho)). */
export function poissonDeterministic(streams: Streams): Check[] {
  return [0.3, 0.6, 0.8].map((load) =>
    meanWait(streams, `M/D/1, load ${load}: mean wait, services`, load, () => BYTES, load / (2 * (1 - load))),
  );
}

/** Pollaczek and Khinchine: Wq = lambda E[S^2] / (2 (1 - rho)), for 80-byte inputs and 1,200-byte snapshots. */
export function poissonGeneral(streams: Streams): Check[] {
  return [0.3, 0.5, 0.7].map((load) => {
    const small = 0.75; // three inputs to a snapshot
    const meanBytes = small * 80 + (1 - small) * 1200;
    const square = (small * 80 ** 2 + (1 - small) * 1200 ** 2) / BYTES ** 2;
    const lambda = load / (meanBytes / BYTES);
    const expected = (lambda * square) / (2 * (1 - load));
    const draw = (stream: Stream): number => (stream.below(4) === 0 ? 1200 : 80);
    return meanWait(streams, `M/G/1, load ${load}: mean wait, s`, lambda, draw, expected);
  });
}

/** W = S / (1 - rho), and an arrival finds n or more with probability rho^n. */
export function poissonExponential(streams: Streams): Check[] {
  return [0.3, 0.5, 0.7].flatMap((load) => {
    const stream = streams.stream(`selftest/mm1/${load}`);
    const sojourns = new BatchMeans(PACKETS);
    const three = new BatchMeans(PACKETS);
    const bed = new Bed(streams, `M/M/1 ${load}`, LINE, (k, sentAt, now) => {
      if (k >= WARM_UP) sojourns.add((now - sentAt) / SERVICE_MICROS);
    });
    let at = 0;
    for (let k = 0; k < PACKETS + WARM_UP; k++) {
      at += (exponential(stream) * SERVICE_MICROS) / load;
      bed.advance(Math.floor(at));
      if (k >= WARM_UP) three.add(bed.inSystem >= 3 ? 1 : 0);
      bed.send(k, Math.min(65_000, Math.round(exponential(stream) * BYTES)));
    }
    bed.advance(at * 2);
    return [
      sojourns.check(`M/M/1, load ${load}: mean time in system, services`, 1 / (1 - load)),
      three.check(`M/M/1, load ${load}: share that finds three or more`, load ** 3),
    ];
  });
}

/** Room for K in the system: (1 - rho) rho^K / (1 - rho^(K + 1)) are dropped. */
export function finiteExponential(streams: Streams): Check[] {
  return [
    [0.7, 2],
    [0.9, 5],
    [1.3, 10],
  ].map(([load, room]) => {
    const stream = streams.stream(`selftest/mm1k/${room}`);
    const dropped = new BatchMeans(PACKETS);
    const bed = new Bed(streams, `M/M/1/K ${room}`, { ...LINE, queuePackets: room! - 1 }, () => {});
    let at = 0;
    for (let k = 0; k < PACKETS + WARM_UP; k++) {
      at += (exponential(stream) * SERVICE_MICROS) / load!;
      bed.advance(Math.floor(at));
      const before = bed.direction.stats.dropped;
      bed.send(k, Math.min(65_000, Math.round(exponential(stream) * BYTES)));
      if (k >= WARM_UP) dropped.add(bed.direction.stats.dropped - before);
    }
    const expected = ((1 - load!) * load! ** room!) / (1 - load! ** (room! + 1));
    return dropped.check(`M/M/1/${room}, load ${load}: share dropped`, expected);
  });
}

/** N clients of equal tick and random phase: P(V > x), the formula of a game server's ingress (Roberts and Virtamo 1991). */
export function periodicSources(streams: Streams): Check[] {
  return [
    [20, 25, 2],
    [40, 50, 3],
    [80, 100, 4],
  ].map(([sources, period, bound]) => {
    const stream = streams.stream(`selftest/nddd1/${sources}`);
    const trials = 3_000;
    const micros = period! * SERVICE_MICROS;
    let over = 0;
    const bed = new Bed(streams, `N*D/D/1 ${sources}`, LINE, (k, sentAt, now) => {
      if (k === 1 && now - sentAt - SERVICE_MICROS > bound! * SERVICE_MICROS) over++;
    });
    let begin = 0;
    for (let trial = 0; trial < trials; trial++, begin = bed.now + 3 * micros) {
      const phases = Array.from({ length: sources! }, () => Math.floor(stream.double() * micros));
      const times = [...phases, ...phases.map((phase) => phase + micros)].map((time) => [time, 0]);
      times.push([micros + Math.floor(stream.double() * micros), 1]);
      for (const [time, kind] of times.sort((a, b) => a[0]! - b[0]!)) {
        bed.advance(begin + time!);
        bed.send(kind!, BYTES);
        if (kind === 1) break; // what comes after the probe does not delay it
      }
    }
    bed.advance(begin);
    const name = `N*D/D/1, ${sources} clients, period ${period}: share that waits over ${bound} services`;
    return share(name, periodicTail(sources!, period!, bound!), over, trials);
  });
}

function periodicTail(sources: number, period: number, x: number): number {
  let sum = 0;
  for (let n = Math.floor(x) + 1; n <= sources; n++) {
    let choose = 1;
    for (let i = 0; i < n; i++) choose *= (sources - i) / (i + 1);
    const part = (n - x) / period;
    sum += (choose * part ** n * (1 - part) ** (sources - n) * (period - sources + x)) / (period - n + x);
  }
  return sum;
}

/** Little: the number under way, integrated over time, is the sum of the times spent: an identity, to the microsecond. */
export function littlesLaw(streams: Streams): Check[] {
  return [1_000, 10_000, 50_000].map((count) => {
    const stream = streams.stream(`selftest/little/${count}`);
    const options = { ...LINE, queueBytes: 20_000, latencyMicros: 400_000, jitterMicros: 400_000 };
    let [spent, area, last, held] = [0, 0, 0, 0];
    const bed = new Bed(streams, `Little ${count}`, options, (_, sentAt, now) => {
      spent += now - sentAt;
      area += held * (now - last);
      last = now;
      held = bed.transit.pool.held - 1; // released when this returns
    });
    for (let k = 0; k < count; k++) {
      bed.advance(bed.now + Math.floor(exponential(stream) * SERVICE_MICROS));
      area += held * (bed.now - last);
      last = bed.now;
      bed.send(k, BYTES);
      held = bed.transit.pool.held;
    }
    bed.advance(bed.now + 1e9);
    return exact(`Little's law, ${count} packets: integral less sum of times, us`, 0, area - spent);
  });
}

/** The mean wait before the line, in services of 1,000 bytes, of packets that come at `lambda` a service. */
function meanWait(
  streams: Streams,
  name: string,
  lambda: number,
  bytes: (stream: Stream) => number,
  expected: number,
): Check {
  const stream = streams.stream(`selftest/${name}`);
  const waits = new BatchMeans(PACKETS);
  const sizes = new Int32Array(PACKETS + WARM_UP);
  const bed = new Bed(streams, name, LINE, (k, sentAt, now) => {
    if (k >= WARM_UP) waits.add((now - sentAt) / SERVICE_MICROS - sizes[k]! / BYTES);
  });
  let at = 0;
  for (let k = 0; k < PACKETS + WARM_UP; k++) {
    at += (exponential(stream) * SERVICE_MICROS) / lambda;
    bed.advance(Math.floor(at));
    sizes[k] = bytes(stream);
    bed.send(k, sizes[k]!);
  }
  bed.advance(at * 2);
  return waits.check(name, expected);
}
