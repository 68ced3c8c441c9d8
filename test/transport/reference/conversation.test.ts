import { describe, expect, test } from 'vitest';
import { ChannelSet } from '../../../transport/channel/channel-set.ts';
import { ALL_KINDS, type End, Pair } from '../pair.ts';
import { CHATTER_CHANNELS, chatter } from './chatter.ts';
import { type Frame, readPayload, toHex, writePayload } from './frames.ts';
import { channelsHash, ReferenceReceiver } from './receiver.ts';

const WINDOW = 1 << 27;

/** Holds the reference against what an end sends and receives; returns the types of frames that were seen. */
function watch(from: End, to: End, seen: Set<string>): { delivered: string[]; answers: string[] } {
  const receiver = new ReferenceReceiver(CHATTER_CHANNELS, WINDOW);
  const delivered: string[] = [];
  const answers: string[] = [];
  from.onPayload = (_, bytes) => {
    const { frames, malformed } = readPayload(bytes, CHATTER_CHANNELS);
    expect(malformed).toBe('');
    for (const frame of frames) seen.add(frame.type);
    expect(toHex(writePayload(frames))).toBe(toHex(bytes));
    return bytes;
  };
  to.onArrival = (_, bytes) => {
    const answer = receiver.receive(bytes);
    answers.push(answer.answer);
    for (const { channel, tag, bytes: text } of answer.delivered) delivered.push(`${channel} ${tag} ${text}`);
  };
  return { delivered, answers };
}

/** Hello left before anybody could watch; only servers offer ids. */
const ALL_TYPES: Frame['type'][] = [
  'ack',
  'fragment',
  'input',
  'keyed',
  'keyed fragment',
  'messages',
  'ping',
  'plain',
  'skip',
  'time',
];

describe('PROTOCOL.md, read a second time,', () => {
  test.each([
    [1, 0, 0],
    [2, 0.05, 0],
    [3, 0.25, 0],
    [4, 0.1, 2 ** 32 - 300],
    [5, 0.1, 2 ** 40 + 65_000],
  ])(
    'says the same about every payload of a conversation (seed %i, loss %d, first number %i)',
    (seed, loss, number) => {
      const pair = new Pair({ windowBytes: WINDOW }, { number, now: number === 0 ? 1_000_000 : 2 ** 41 });
      const seen = new Set<string>();
      const toB = watch(pair.a, pair.b, seen);
      const toA = watch(pair.b, pair.a, seen);
      chatter(pair, seed, 200, loss);
      pair.run(pair.now + 60_000_000);
      for (const [end, { delivered, answers }] of [
        [pair.a, toA],
        [pair.b, toB],
      ] as const) {
        expect(end.violation).toBe('');
        expect(new Set(answers)).toEqual(new Set(['taken']));
        expect(end.received.map(({ channel, tag, bytes }) => `${channel} ${tag} ${toHex(bytes)}`)).toEqual(delivered);
        expect(delivered.length).toBeGreaterThan(800);
      }
      if (loss >= 0.1) expect([...seen].filter((type) => type !== 'hello').sort()).toEqual(ALL_TYPES);
    },
  );

  test('hashes the channels to the same number', () => {
    const odd = [{ ...ALL_KINDS[0]!, name: 'Zürich' }, { ...ALL_KINDS[2]!, name: 'a\u{1f3ae}' }, ...ALL_KINDS];
    const sorted = odd.toSorted((a, b) => (a.name < b.name ? -1 : 1));
    expect(channelsHash(sorted)).toBe(new ChannelSet(odd).hash);
  });
});
