/** Closed forms of cross traffic, and the books of a direction. */

import type { Streams } from '../world/streams.ts';
import { DUE_ARRIVAL, DUE_SOURCE } from '../world/timeline.ts';
import { Transit } from '../world/transit.ts';
import { Bed } from './bed.ts';
import { type Check, exact, near } from './check.ts';

/** Sent and duplicated = delivered, lost and dropped, once nothing is under way. */
export function conservation(streams: Streams): Check[] {
  return [1_000, 10_000, 100_000].map((count) => {
    const options = {
      rateBitsPerSecond: 600_000,
      overheadBytes: 0,
      queueBytes: 5_000,
      loss: { model: 'gilbert-elliott', loss: 0.1, meanBurstPackets: 3 },
      latencyMicros: 20_000,
      jitterMicros: 20_000,
      reorder: 0.1,
      duplicate: 0.1,
      duplicateDelayMicros: 20_000,
    } as const;
    const bed = new Bed(streams, `books ${count}`, options, () => {});
    const pace = streams.stream(`selftest/books/${count}`);
    for (let k = 0; k < count; k++) {
      bed.advance(bed.now + pace.below(2_000));
      bed.send(k, 50 + pace.below(100));
    }
    bed.advance(bed.now + 10_000_000);
    const { sent, duplicated, delivered, lost, dropped } = bed.direction.stats;
    const seen = Math.min(duplicated, lost, dropped) > 0; // each of them happened, else the books prove little
    return exact(
      `conservation, ${count} packets: in less out`,
      0,
      seen ? sent + duplicated - delivered - lost - dropped : NaN,
    );
  });
}

/** Headers that a policer counts with each datagram. */
const HEADER_BYTES = 28;

/** Token bucket: of what comes without end, burst + rate * t passes in a time t, to the packet. */
export function tokenBucket(streams: Streams): Check[] {
  return [
    [10, 1_000],
    [100, 10_000],
    [1_000, 100_000],
  ].map(([burst, services]) => {
    const bytes = 1_000;
    const rateBitsPerSecond = 800_000; // a packet each 10 ms
    const policer = { rateBitsPerSecond, burstBytes: burst! * bytes };
    let passed = 0;
    const bed = new Bed(streams, `policer ${burst}`, { policer }, () => {
      passed++;
    });
    // Four offered for each that may pass, the last at the end of the time, and all of the burst at its begin.
    for (let k = 0; k < burst!; k++) bed.send(k, bytes - HEADER_BYTES);
    for (let k = 0; k <= 4 * services!; k++) {
      bed.advance(k * 2_500);
      bed.send(k, bytes - HEADER_BYTES);
    }
    bed.advance(bed.now);
    return exact(`token bucket, burst ${burst}, ${services} at its rate: passed`, burst! + services!, passed);
  });
}

const RTT_MICROS = 50_000;
const SECOND_MICROS = 1_000_000;
const PACKET_BYTES = 1_200;

/** Mathis: throughput (MSS / RTT) sqrt(3 / 2) / sqrt(p), for small p and within a fifth, as the formula itself is. */
export function mathis(streams: Streams): Check[] {
  return [0.0005, 0.002, 0.01].map((loss) => {
    const transit = new Transit(streams);
    const options = { over: { loss }, rttMicros: RTT_MICROS, packetBytes: PACKET_BYTES };
    const source = transit.addSource(`mathis ${loss}`, options);
    const { timeline } = transit;
    const until = (loss < 0.001 ? 900 : 400) * SECOND_MICROS;
    while (timeline.take(until)) {
      if (timeline.kind === DUE_SOURCE) transit.sources[timeline.id]!.turn();
      else if (timeline.kind === DUE_ARRIVAL) transit.arriveAtSource(timeline.id);
    }
    const expected = ((PACKET_BYTES * 8 * SECOND_MICROS) / RTT_MICROS) * Math.sqrt(1.5 / loss);
    const simulated = source.goodputBitsPerSecond(20 * SECOND_MICROS, until);
    return near(`AIMD, loss ${loss}: bit/s by Mathis, within a fifth`, expected, simulated, 0.2);
  });
}
