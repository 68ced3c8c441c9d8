/**
 * Two ends of `Connections` over a link in virtual time: what a message's latency, its bytes, and a transfer's goodput come to. A run
 * is a function of its seed and of the code; the machine does not matter. The link is this file's own, as in test/transport/pair.ts:
 * sockets, sessions and the engine's drive take no part.
 */

import { type End, type Fate, lcg, Pair } from '../transport/pair.ts';

const SECOND_MICROS = 1_000_000;
const TICK_MICROS = 16_667;
const ONE_WAY_MICROS = 25_000;
const ORDERED = 2;
const UNRELIABLE = 0;
const BULK = 7;
/** IPv4 and UDP headers, counted in the rate of a link. */
const UDP_IP_BYTES = 28;
/** Messages sent before this are not counted: a connection that begins knows nothing of its path. */
const WARM_UP_MICROS = 2 * SECOND_MICROS;

export interface LatencyResult {
  /** One-way latencies in microseconds, sorted. */
  readonly latencies: Float64Array;
  readonly messages: number;
  readonly wireBytes: number;
}

/** 32 bytes at 60 Hz on a reliable ordered channel, both ways. @param burst mean length of bursts of loss, 1: each on its own */
export function latencies(seed: number, loss: number, burst: number, seconds: number): LatencyResult {
  const pair = new Pair();
  const ends = [pair.a, pair.b];
  const found: number[] = [];
  const message = new Uint8Array(32);
  const view = new DataView(message.buffer);
  let sent = 0;
  for (const [i, end] of ends.entries()) {
    end.fate = lossy(seed * 2 + i, loss, burst);
    let next = 0;
    end.onMessage = (_channel, bytes, offset) => {
      const from = new DataView(bytes.buffer, bytes.byteOffset + offset, 32);
      if (from.getUint32(0, true) !== next++) throw new Error('out of order');
      const sentAt = from.getFloat64(8, true);
      if (sentAt >= SECOND_MICROS + WARM_UP_MICROS) found.push(pair.now - sentAt);
    };
    let number = 0;
    const until = SECOND_MICROS * (seconds + 1);
    const tick = (): void => {
      view.setUint32(0, number++, true);
      view.setFloat64(8, pair.now, true);
      if (!end.send(pair.now, ORDERED, message)) throw new Error('too much waits');
      sent++;
      pair.wake(end);
      if (pair.now + TICK_MICROS < until) pair.at(pair.now + TICK_MICROS, tick);
    };
    // The two sides are out of step by a share of a tick that the seed decides.
    pair.at(SECOND_MICROS + (((seed * 2 + i) * 5003) % TICK_MICROS), tick);
  }
  pair.run(SECOND_MICROS * (seconds + 4));
  return { latencies: Float64Array.from(found).sort(), messages: sent, wireBytes: pair.a.wireBytes + pair.b.wireBytes };
}

export interface TransferResult {
  /** Payload of messages that arrived in the window, in MB a second. */
  readonly megabytesPerSecond: number;
  /** Wire bytes (UDP payload) of the sender for each byte that arrived, in the window. */
  readonly wirePerByte: number;
  /** Share of the link's bytes that were used in the window. */
  readonly use: number;
  /** Queueing of a real-time channel beside it, from 3 s on, in microseconds, sorted; the longest before. */
  readonly queueing: Float64Array;
  readonly startUpMicros: number;
}

export interface TransferOptions {
  readonly seed: number;
  readonly megabits: number;
  readonly bufferMicros: number;
  readonly loss: number;
  /** Bytes that the sender has begun and not got rid of, at most: what bounds the flight. */
  readonly backlogBytes: number;
  readonly fromSecond: number;
  readonly toSecond: number;
  /** Whether 32 bytes at 60 Hz go beside it. */
  readonly realTime: boolean;
}

/** Messages of 64 KiB without end from one side, 25 ms each way, through a queue with tail drop. */
export function transfer(options: TransferOptions): TransferResult {
  const { megabits, backlogBytes, realTime, fromSecond, toSecond } = options;
  const pair = new Pair();
  const start = pair.now;
  const at = (second: number): number => start + second * SECOND_MICROS;
  const queueing: number[] = [];
  let startUpMicros = 0;
  let bytesIn = 0;
  pair.b.fate = () => ONE_WAY_MICROS;
  pair.a.fate = bottleneck(options);
  pair.b.onMessage = (channel, bytes, offset, length) => {
    if (channel === BULK) {
      if (pair.now >= at(fromSecond)) bytesIn += length;
      return;
    }
    const sentAt = new DataView(bytes.buffer, bytes.byteOffset + offset, 8).getFloat64(0, true);
    const micros = pair.now - sentAt - ONE_WAY_MICROS;
    if (pair.now >= at(3)) queueing.push(micros);
    else startUpMicros = Math.max(startUpMicros, micros);
  };
  const block = new Uint8Array(65_536);
  const { outgoing } = pair.a.connections;
  const feed = (): void => {
    let any = false;
    while (outgoing.waitingBytes[0]! < backlogBytes && pair.a.send(pair.now, BULK, block)) any = true;
    if (any) pair.wake(pair.a);
    pair.at(pair.now + 5000, feed);
  };
  pair.at(start, feed);
  if (realTime) pair.at(start, () => tickOn(pair, pair.a));
  pair.run(at(fromSecond));
  const wireBefore = pair.a.wireBytes;
  const packetsBefore = pair.a.packets;
  pair.run(at(toSecond));
  const seconds = toSecond - fromSecond;
  const wire = pair.a.wireBytes - wireBefore;
  const onLink = wire + UDP_IP_BYTES * (pair.a.packets - packetsBefore);
  return {
    megabytesPerSecond: bytesIn / seconds / 1e6,
    wirePerByte: wire / bytesIn,
    use: (onLink * 8) / (seconds * megabits * 1e6),
    queueing: Float64Array.from(queueing).sort(),
    startUpMicros,
  };
}

/** The value below which `share` of the sorted values lie. */
export function quantile(sorted: Float64Array, share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]!;
}

function tickOn(pair: Pair, end: End): void {
  const message = new Uint8Array(32);
  new DataView(message.buffer).setFloat64(0, pair.now, true);
  end.send(pair.now, UNRELIABLE, message);
  pair.wake(end);
  pair.at(pair.now + TICK_MICROS, () => tickOn(pair, end));
}

/** Loses each on its own, or in bursts (Gilbert-Elliott: all lost in the bad state), and delays by 25 ms. */
function lossy(seed: number, loss: number, burst: number): Fate {
  const rng = lcg(seed);
  const toGood = 1 / burst;
  const toBad = loss / ((1 - loss) * burst);
  let bad = false;
  return () => {
    const chance = rng.u32() / 2 ** 32;
    if (burst <= 1) return chance < loss ? null : ONE_WAY_MICROS;
    bad = bad ? chance >= toGood : chance < toBad;
    return bad ? null : ONE_WAY_MICROS;
  };
}

function bottleneck({ seed, megabits, bufferMicros, loss }: TransferOptions): Fate {
  const rng = lcg(seed);
  const microsPerByte = 8 / megabits;
  let busyUntil = 0;
  return (_index, now, bytes) => {
    if (busyUntil - now > bufferMicros) return null;
    busyUntil = Math.max(busyUntil, now) + (bytes + UDP_IP_BYTES) * microsPerByte;
    if (rng.u32() / 2 ** 32 < loss) return null;
    return Math.round(busyUntil - now) + ONE_WAY_MICROS;
  };
}
