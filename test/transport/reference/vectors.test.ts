import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { ChannelSet } from '../../../transport/channel/channel-set.ts';
import { AckTracker } from '../../../transport/recovery/ack-tracker.ts';
import {
  ACK_MALFORMED,
  ACK_OK,
  ACK_VIOLATION,
  type FateSink,
  LossDetector,
} from '../../../transport/recovery/loss-detector.ts';
import { LossRate } from '../../../transport/recovery/loss-rate.ts';
import { RttEstimator } from '../../../transport/recovery/rtt-estimator.ts';
import { SentPackets } from '../../../transport/recovery/sent-packets.ts';
import { FrameCursor } from '../../../transport/wire/frame-cursor.ts';
import { expandId } from '../../../transport/wire/frame-types.ts';
import { spec } from '../pair.ts';
import { Target } from '../target.ts';
import { type Frame, fromHex, type ReferenceChannel, readPayload, toHex, writePayload } from './frames.ts';
import { channelsHash, type Delivered, nearestId, ReferenceReceiver } from './receiver.ts';

interface Step {
  readonly hex: string;
  readonly frames: Frame[];
  readonly answer: string;
  readonly delivered: Delivered[];
  readonly counters: Record<string, number>;
  /** False: numbers are in longer forms than a writer uses. */
  readonly canonical?: boolean;
}

interface Vectors {
  readonly channels: ReferenceChannel[];
  readonly channelsHash: number;
  readonly window: number;
  readonly cases: { group: string; name: string; steps: Step[] }[];
  readonly ids: { low: number; expected: number; id: number }[];
  readonly acks: {
    name: string;
    first: number;
    last: number;
    skipped: number[];
    hex: string;
    answer: string;
    acked: number[];
  }[];
  readonly acksWritten: { name: string; received: [number, number][]; hex: string }[];
  readonly redundancy: { p: number; q: number; k: number }[];
}

const vectors: Vectors = JSON.parse(
  readFileSync(new URL('../../vectors/transport-1.json', import.meta.url), 'utf8'),
) as Vectors;
const channels = new ChannelSet(
  vectors.channels.map(({ name, kind, messageBytesMax, keysMax }) => spec(name, kind, { messageBytesMax, keysMax })),
);
const bytesOf = (hex: string): Uint8Array => Uint8Array.from(fromHex(hex));

describe('the golden vectors of the transport', () => {
  test.each(vectors.cases.map((one) => [one.group, one.name, one.steps] as const))('%s: %s', (_, __, steps) => {
    const target = new Target({ connections: 1, channels, windowBytes: vectors.window });
    const reference = new ReferenceReceiver(vectors.channels, vectors.window);
    let delivered: Delivered[] = [];
    target.onMessage = (_c, channel, tag, bytes) => void delivered.push({ channel, tag, bytes: toHex(bytes) });
    for (const step of steps) {
      const bytes = bytesOf(step.hex);
      const before = countersOf(target);
      delivered = [];
      const answer = target.give(0, bytes);
      expect(answer).toBe(step.answer);
      expect(delivered).toEqual(step.delivered);
      expect(changes(before, countersOf(target), answer)).toEqual(step.counters);

      const second = reference.receive(bytes);
      expect(second.answer).toBe(step.answer);
      expect(second.delivered).toEqual(step.delivered);
      const { frames, malformed } = readPayload(bytes, vectors.channels);
      expect(frames).toEqual(step.frames);
      if (malformed === '' && step.canonical !== false) expect(toHex(writePayload(frames))).toBe(step.hex);
    }
  });

  test('the hash of the channels', () => {
    expect(channels.hash).toBe(vectors.channelsHash);
    expect(channelsHash(vectors.channels)).toBe(vectors.channelsHash);
  });

  test.each(vectors.ids)('id $low near $expected is $id', ({ low, expected, id }) => {
    expect(expandId(low, expected)).toBe(id);
    expect(nearestId(low, expected)).toBe(id);
  });

  test.each(vectors.acks)('an ack $name: $answer', ({ first, last, skipped, hex, answer, acked }) => {
    const sent = new SentPackets(1);
    const detector = new LossDetector(1, sent, new RttEstimator(1), new LossRate(1));
    const number = new Float64Array(1);
    const none = Float64Array.of(-1);
    for (let n = first; n <= last; n++) {
      number[0] = n;
      if (skipped.includes(n)) sent.skip(0, number);
      else sent.record(0, 100, true, -1, none, number, 1000);
    }
    const heard: number[] = [];
    const sink: FateSink = {
      packetAcked: (_c, slot) => void heard.push(sent.number[slot]!),
      packetLost: () => undefined,
    };
    const bytes = bytesOf(hex);
    const cursor = new FrameCursor().wrap(bytes, 1, bytes.length - 1);
    const got = detector.onAck(0, bytes[0]!, cursor, 2000, sink);
    expect(got).toBe({ taken: ACK_OK, malformed: ACK_MALFORMED, violation: ACK_VIOLATION }[answer]);
    expect(heard).toEqual(acked);
  });

  test.each(vectors.acksWritten)('an ack is written after $name', ({ received, hex }) => {
    const number = new Float64Array(1);
    const tracker = new AckTracker(1, number);
    for (const [from, to] of received) {
      for (number[0] = from; number[0] <= to; number[0]++) tracker.onPacket(0, true, 5000);
    }
    const bytes = new Uint8Array(100);
    const end = tracker.write(0, bytes, 0, 100, 5000);
    expect(toHex(bytes.subarray(0, end))).toBe(hex);
  });

  test.each(vectors.redundancy)('p = $p and q = $q: $k copies', ({ p, q, k }) => {
    const rates = new LossRate(1);
    rates.onFate(0, false);
    rates.lossRate[0] = p;
    rates.lostAfterLost[0] = q;
    expect(rates.copies(0)).toBe(k);
  });
});

function countersOf({ connections: { incoming, frames } }: Target): Record<string, number> {
  return {
    duplicates: incoming.duplicates,
    stale: incoming.stale,
    unreliableDropped: incoming.unreliableDropped,
    extensions: frames.extensions,
    malformedPayloads: frames.malformed,
    refused: frames.refused,
  };
}

function changes(
  before: Record<string, number>,
  after: Record<string, number>,
  answer: string,
): Record<string, number> {
  const changed: Record<string, number> = answer === 'violation' ? { violations: 1 } : {};
  for (const name of Object.keys(after)) {
    if (after[name] !== before[name]) changed[name] = after[name]! - before[name]!;
  }
  return changed;
}
