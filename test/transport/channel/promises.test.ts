/** What each kind promises (PROTOCOL.md, section 3), against a naive sender over a network that loses, repeats and reorders. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { NEVER } from '../../../sys/api.ts';
import { LS, Receiver, RO, RS, RU, TI, U, US } from './frames-in.ts';
import { HonestSender, type Sent, type Weather } from './honest-sender.ts';

const WINDOW = 70_000;

const weather: fc.Arbitrary<Weather> = fc.record({
  seed: fc.integer(),
  loss: fc.constantFrom(0, 0.05, 0.3, 0.6),
  copies: fc.constantFrom(0, 0.3),
  reorder: fc.constantFrom(0, 0.2, 0.5),
  skips: fc.constantFrom(0, 0, 0.05),
});
/** From four bytes on a message tells which one it is. */
const told = fc.oneof(fc.integer({ min: 4, max: 60 }), fc.constantFrom(1152, 1153, 2304, 2305, 5000, 36_864, 36_865));
const any = fc.oneof(fc.constantFrom(0, 1), told);
const list = (size: fc.Arbitrary<number>) => fc.array(fc.tuple(size, fc.nat(3)), { minLength: 1, maxLength: 60 });

const idOf = (bytes: Uint8Array, channel: number) => (new DataView(bytes.buffer).getUint32(0, true) - channel) / 7;

/** Plays until all is over; the senders take turns on one connection each, so that their frames mix. */
function play(receiver: Receiver, senders: readonly HonestSender[]): void {
  for (let round = 0; senders.some((s) => !s.done); round++) {
    if (round > 20_000) throw new Error('the senders do not come to an end');
    for (const s of senders) s.round();
    receiver.now += 16_000;
  }
}

function expectNothingHeld(receiver: Receiver): void {
  receiver.incoming.expire(NEVER, receiver);
  expect(receiver.pool.held).toBe(0);
  expect(receiver.pool.heldBytes).toBe(0);
  expect(receiver.incoming.fragmentsHeld).toBe(0);
  expect(receiver.incoming.messagesHeld).toBe(0);
  expect(receiver.incoming.bytesHeld(0)).toBe(0);
  expect(receiver.incoming.deadline()).toBe(NEVER);
}

/** Plays `sizes` on one channel and gives what was sent and what arrived. */
function run(channel: number, sizes: readonly (readonly [number, number])[], w: Weather, poolBytes = 1 << 24) {
  const receiver = new Receiver({ windowBytes: WINDOW, poolBytes });
  const sender = new HonestSender(receiver, 0, channel, w, WINDOW);
  for (const [size, key] of sizes) sender.send(size, channel === LS ? key : 0);
  play(receiver, [sender]);
  const arrived = receiver.arrived.slice();
  expect(arrived.every((a) => a.channel === channel && a.connection === 0)).toBe(true);
  return { receiver, sender, arrived };
}

const same = (a: Uint8Array, b: Uint8Array) => Buffer.compare(a, b) === 0;
/** The messages that `arrived` are, each known by its first four bytes and equal to the last. */
function recognise(sent: readonly Sent[], arrived: readonly { bytes: Uint8Array }[], channel: number): Sent[] {
  return arrived.map(({ bytes }) => {
    const message = sent[idOf(bytes, channel)]!;
    expect(same(bytes, message.bytes)).toBe(true);
    return message;
  });
}
const rises = (list: readonly Sent[]) => list.every((m, i) => i === 0 || m.id > list[i - 1]!.id);

describe('reliable ordered', () => {
  it('delivers each message exactly once in the order of sending; one that was given up, at most once', () => {
    fc.assert(
      fc.property(list(any), weather, (sizes, w) => {
        // With messages missing, empty ones could not be told apart.
        const told = w.skips > 0 ? sizes.map(([size]) => [Math.max(4, size), 0] as const) : sizes;
        const { receiver, sender, arrived } = run(RO, told, w);
        let at = 0;
        for (const { bytes } of arrived) {
          // What was given up may be missing; anything else may not.
          while (at < sender.sent.length && sender.sent[at]!.skipped > 0 && !same(sender.sent[at]!.bytes, bytes)) at++;
          expect(same(bytes, sender.sent[at++]!.bytes)).toBe(true);
        }
        expect(sender.sent.slice(at).every((m) => m.skipped > 0)).toBe(true);
        expectNothingHeld(receiver);
      }),
      { numRuns: 150 },
    );
  });

  it('goes on after a pool without room: what was refused comes again', () => {
    let refusals = 0;
    fc.assert(
      // Room for the largest message and little more: a hole can always be filled, since it needs no room or was begun.
      fc.property(
        fc.array(fc.integer({ min: 0, max: 1100 }), { minLength: 20, maxLength: 60 }),
        weather,
        (sizes, w) => {
          const { receiver, sender, arrived } = run(
            RO,
            sizes.map((s) => [s, 0]),
            { ...w, skips: 0 },
            4096,
          );
          expect(arrived.map((a) => a.bytes.length)).toEqual(sender.sent.map((m) => m.bytes.length));
          refusals += sender.refusals;
          expectNothingHeld(receiver);
        },
      ),
      { numRuns: 100 },
    );
    expect(refusals).toBeGreaterThan(100);
  });
});

describe('reliable unordered', () => {
  it('delivers each message exactly once; one that was given up, at most once', () => {
    fc.assert(
      fc.property(list(told), weather, (sizes, w) => {
        const { receiver, sender, arrived } = run(RU, sizes, w);
        const found = recognise(sender.sent, arrived, RU);
        expect(new Set(found).size).toBe(found.length);
        for (const m of sender.sent) if (m.skipped === 0) expect(found).toContain(m);
        expectNothingHeld(receiver);
      }),
      { numRuns: 150 },
    );
  });

  it('delivers what is there while an earlier message is missing', () => {
    const { sender, arrived } = run(
      RU,
      Array.from({ length: 300 }, () => [10, 0] as const),
      {
        seed: 5,
        loss: 0.5,
        copies: 0,
        reorder: 0.5,
        skips: 0,
      },
    );
    expect(arrived).toHaveLength(300);
    expect(rises(recognise(sender.sent, arrived, RU))).toBe(false);
  });
});

describe('reliable sequenced', () => {
  it('delivers rising messages, and the newest for certain', () => {
    fc.assert(
      fc.property(list(told), weather, (sizes, w) => {
        const { receiver, sender, arrived } = run(RS, sizes, w);
        const found = recognise(sender.sent, arrived, RS);
        expect(rises(found)).toBe(true);
        const last = sender.sent.at(-1)!;
        if (last.skipped === 0) expect(found.at(-1)).toBe(last);
        expectNothingHeld(receiver);
      }),
      { numRuns: 150 },
    );
  });
});

describe('latest state', () => {
  it('delivers rising values of each key with the key, and the newest of each for certain', () => {
    fc.assert(
      fc.property(list(told), weather, (sizes, w) => {
        const { receiver, sender, arrived } = run(LS, sizes, w);
        const found = recognise(sender.sent, arrived, LS);
        expect(arrived.map((a) => a.tag)).toEqual(found.map((m) => m.key));
        for (let key = 0; key < 4; key++) {
          const ofKey = found.filter((m) => m.key === key);
          expect(rises(ofKey)).toBe(true);
          expect(ofKey.at(-1)).toBe(sender.sent.findLast((m) => m.key === key));
        }
        expectNothingHeld(receiver);
      }),
      { numRuns: 150 },
    );
  });
});

describe('the unreliable kinds', () => {
  it('unreliable: deliver each message at most once and whole, and all of them without loss', () => {
    fc.assert(
      fc.property(list(told), weather, (sizes, w) => {
        const { receiver, sender, arrived } = run(U, sizes, w);
        const found = recognise(sender.sent, arrived, U);
        expect(new Set(found).size).toBe(found.length);
        if (w.loss === 0 && w.reorder === 0) expect(found).toHaveLength(sender.sent.length);
        expectNothingHeld(receiver);
      }),
      { numRuns: 150 },
    );
  });

  it('unreliable sequenced: deliver rising messages, and all of them without loss and reordering', () => {
    fc.assert(
      fc.property(list(told), weather, (sizes, w) => {
        const { receiver, sender, arrived } = run(US, sizes, w);
        const found = recognise(sender.sent, arrived, US);
        expect(rises(found)).toBe(true);
        if (w.loss === 0 && w.reorder === 0) expect(found).toHaveLength(sender.sent.length);
        expectNothingHeld(receiver);
      }),
      { numRuns: 150 },
    );
  });
});

describe('tick input', () => {
  it('delivers each tick at most once, rising, and leaves out only what was in no packet that arrived', () => {
    fc.assert(
      fc.property(list(fc.integer({ min: 4, max: 60 })), weather, (sizes, w) => {
        const { receiver, sender, arrived } = run(TI, sizes, w);
        const found = recognise(sender.sent, arrived, TI);
        expect(arrived.map((a) => a.tag)).toEqual(found.map((m) => m.id));
        expect(rises(found)).toBe(true);
        if (w.loss === 0 && w.reorder === 0) expect(found).toHaveLength(sender.sent.length);
        expectNothingHeld(receiver);
      }),
      { numRuns: 150 },
    );
  });
});

describe('all kinds at once', () => {
  it("do not get in each other's way, on two connections", () => {
    fc.assert(
      fc.property(list(told), weather, (sizes, w) => {
        // The windows add up: each reliable sender keeps to a fifth.
        const receiver = new Receiver({ windowBytes: 5 * WINDOW });
        const senders: HonestSender[] = [];
        for (let c = 0; c < 2; c++) {
          for (let channel = 0; channel < 7; channel++) {
            const sender = new HonestSender(
              receiver,
              c,
              channel,
              { ...w, seed: w.seed + channel * 2 + c, skips: 0 },
              WINDOW,
            );
            for (const [size, key] of sizes)
              sender.send(channel === TI ? Math.min(size, 1000) : size, channel === LS ? key : 0);
            senders.push(sender);
          }
        }
        play(receiver, senders);
        for (let c = 0; c < 2; c++) {
          const of = (channel: number) =>
            recognise(
              senders[c * 7 + channel]!.sent,
              receiver.arrived.filter((a) => a.connection === c && a.channel === channel),
              channel,
            );
          expect(of(RO).map((m) => m.id)).toEqual(sizes.map((_, i) => i));
          expect(
            of(RU)
              .map((m) => m.id)
              .sort((a, b) => a - b),
          ).toEqual(sizes.map((_, i) => i));
          expect(of(RS).at(-1)!.id).toBe(sizes.length - 1);
          for (const channel of [US, RS, TI]) expect(rises(of(channel))).toBe(true);
        }
        expectNothingHeld(receiver);
      }),
      { numRuns: 30 },
    );
  });
});
