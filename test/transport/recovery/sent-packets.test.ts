import { expect, it } from 'vitest';
import { LossDetector } from '../../../transport/recovery/loss-detector.ts';
import { LossRate } from '../../../transport/recovery/loss-rate.ts';
import { RttEstimator } from '../../../transport/recovery/rtt-estimator.ts';
import { PACKET_IN_FLIGHT, SentPackets, UNACKED_MAX } from '../../../transport/recovery/sent-packets.ts';
import { FrameCursor } from '../../../transport/wire/frame-cursor.ts';

const NO_ACK = Float64Array.of(-1);

class Rows {
  readonly sent: SentPackets;
  readonly detector: LossDetector;
  readonly out: number[] = [];

  constructor(rows: number) {
    this.sent = new SentPackets(rows);
    this.detector = new LossDetector(rows, this.sent, new RttEstimator(rows), new LossRate(rows));
  }

  send(c: number, number: number, eliciting = true, frames = -1): number {
    return this.sent.record(c, 50, eliciting, frames, NO_ACK, Float64Array.of(number), 1000);
  }

  ack(c: number, newest: number, run: number): void {
    const v = [(run & 127) | 128, ((run >> 7) & 127) | 128, run >> 14];
    const cursor = new FrameCursor().wrap(Uint8Array.of(newest, newest >>> 8, 0, 0, ...v), 0, 7);
    expect(this.detector.onAck(c, 0x10, cursor, 2000, this)).toBe(0);
  }

  packetAcked(_c: number, slot: number): void {
    this.out.push(this.sent.frames[slot]!);
  }

  packetLost(_c: number, slot: number): void {
    this.out.push(this.sent.frames[slot]!);
  }

  framesDropped(_c: number, frames: number): void {
    this.out.push(frames);
  }
}

it('keeps every packet in flight while rings of many connections grow and move', () => {
  const rows = new Rows(20);
  const { sent } = rows;
  for (let n = 0; n < 600; n++) {
    for (let c = 0; c < 20; c++) if (n < 30 * (c + 1)) rows.send(c, n * (c + 1), true, c * 1000 + n);
  }
  const wrong: unknown[] = [];
  for (let c = 0; c < 20; c++) {
    const size = sent.ringSlots(c);
    for (let n = 0; n < 30 * (c + 1); n++) {
      const slot = sent.base[c]! + ((n * (c + 1)) & (size - 1));
      const there = [sent.number[slot], sent.frames[slot], sent.state[slot]];
      if (`${there}` !== `${[n * (c + 1), c * 1000 + n, PACKET_IN_FLIGHT]}`) wrong.push([c, n, ...there]);
    }
    expect(sent.inFlightBytes[c]).toBe(50 * 30 * (c + 1));
  }
  expect(wrong).toEqual([]);
});

it('is eight slots again when nothing is in flight, and uses the large ring for the next transfer', () => {
  const rows = new Rows(2);
  const slots: number[] = [];
  for (let transfer = 0; transfer < 5; transfer++) {
    for (let n = 0; n < 5000; n++) rows.send(transfer & 1, transfer * 5000 + n);
    expect(rows.sent.ringSlots(transfer & 1)).toBe(8192);
    rows.ack(transfer & 1, transfer * 5000 + 4999, 4999);
    expect(rows.sent.ringSlots(transfer & 1)).toBe(8);
    slots.push(rows.sent.number.length);
  }
  expect(new Set(slots.slice(1)).size).toBe(1);
});

it('does not grow for packets that ask for no ack, however many', () => {
  const rows = new Rows(1);
  for (let n = 0; n < 100_000; n++) rows.send(0, n, false);
  expect(rows.sent.ringSlots(0)).toBe(8);
  expect(rows.sent.canSend(0)).toBe(true);
});

it('lets no more than 32,768 numbers lie beyond the newest acked one', () => {
  const rows = new Rows(1);
  for (let n = 7; n < 7 + UNACKED_MAX; n++) {
    if (!rows.sent.canSend(0)) expect.fail(`may not send ${n}`);
    rows.send(0, n);
  }
  rows.send(0, 7 + UNACKED_MAX);
  expect(rows.sent.canSend(0)).toBe(false);
  rows.ack(0, 8, 0);
  expect(rows.sent.canSend(0)).toBe(true);
  rows.send(0, 8 + UNACKED_MAX);
  expect(rows.sent.canSend(0)).toBe(false);
});

it('refuses a packet when keep-alives have used up 65,536 numbers, and keeps all it has', () => {
  const rows = new Rows(1);
  rows.send(0, 0, true, 1);
  rows.send(0, 1, true, 2);
  expect(rows.send(0, 65_535, true, 3)).toBeGreaterThanOrEqual(0);
  expect(rows.send(0, 65_536, true, 4)).toBe(-1);
  rows.sent.clear(0, rows);
  expect(rows.out).toEqual([1, 2, 3]);
});

it('may send after an hour of keep-alives, since nothing is in flight', () => {
  const rows = new Rows(1);
  rows.send(0, 0);
  rows.ack(0, 0, 0);
  rows.send(0, 60_000, false);
  expect(rows.sent.canSend(0)).toBe(true);
  rows.send(0, 200_000);
  expect(rows.sent.canSend(0)).toBe(true);
  rows.ack(0, 200_000, 0);
  expect(rows.sent.largestAcked[0]).toBe(200_000);
});

it('hands out each list once: with its fate, or when the connection is cleared', () => {
  const rows = new Rows(2);
  for (let n = 0; n < 40; n++) rows.send(1, n, true, n);
  rows.ack(1, 20, 0);
  expect(rows.out.toSorted((a, b) => a - b)).toEqual([...Array(18).keys(), 20]);
  rows.sent.clear(1, rows);
  expect(rows.out.toSorted((a, b) => a - b)).toEqual([...Array(40).keys()]);
  rows.sent.clear(1, rows);
  expect(rows.out).toHaveLength(40);
  rows.send(1, 3, true, 99); // the row's next connection begins anew
  expect(rows.sent.inFlightBytes[1]).toBe(50);
  expect(rows.sent.first[1]).toBe(3);
});

it('stops at mistakes of its caller', () => {
  const rows = new Rows(1);
  rows.send(0, 5);
  expect(() => rows.send(0, 5)).toThrow('must rise');
  expect(() => rows.send(0, Number.NaN)).toThrow('must rise');
  expect(() => rows.send(0, 6, false, 1)).toThrow('must ask for an ack');
});
