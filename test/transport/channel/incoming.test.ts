import { describe, expect, it } from 'vitest';
import { NEVER } from '../../../sys/api.ts';
import { ChannelSet } from '../../../transport/channel/channel-set.ts';
import { MALFORMED, REFUSED, TAKEN, VIOLATION } from '../../../transport/channel/incoming.ts';
import { ID_WINDOW } from '../../../transport/wire/frame-types.ts';
import {
  content,
  EVERY_KIND,
  fragments,
  input,
  join,
  keyed,
  keyedPiece,
  LS,
  messages,
  one,
  piece,
  plain,
  Receiver,
  RO,
  RS,
  RU,
  skip,
  spec,
  TI,
  U,
  US,
  varint,
} from './frames-in.ts';

const bytes = (length: number) => new Uint8Array(length);
const same = (a: Uint8Array, b: Uint8Array) => Buffer.compare(a, b) === 0;
/** Every kind whose messages may come in fragments, with the frames of one. */
const fragmentKinds: [string, number, (id: number, message: Uint8Array) => Uint8Array[]][] = [
  ['unreliable', U, (id, m) => fragments(U, id, m)],
  ['unreliable sequenced', US, (id, m) => fragments(US, id, m)],
  ['reliable ordered', RO, (id, m) => fragments(RO, id, m)],
  ['reliable unordered', RU, (id, m) => fragments(RU, id, m)],
  ['reliable sequenced', RS, (id, m) => fragments(RS, id, m)],
  ['latest state', LS, (id, m) => fragments(LS, id, m, 7)],
];
const reliableKinds = fragmentKinds.slice(2);

function expectEmpty(r: Receiver): void {
  expect(r.pool.heldBytes).toBe(0);
  expect(r.incoming.fragmentsHeld).toBe(0);
  expect(r.incoming.messagesHeld).toBe(0);
  expect(r.incoming.bytesHeld(0)).toBe(0);
}

describe('Messages of every length', () => {
  it('of 0, 1 and 1,152 bytes come unfragmented in every kind', () => {
    for (const length of [0, 1, 1152]) {
      const m = content(length, length);
      const r = new Receiver({ channels: EVERY_KIND });
      r.read(plain(U, m));
      for (const channel of [US, RO, RU, RS]) r.read(messages(channel, 0, m));
      r.read(keyed(LS, [0, 9, m]));
      if (length <= 1024) r.read(input(TI, 5, m));
      expect(r.arrived.map((a) => a.channel)).toEqual(length <= 1024 ? [0, 1, 2, 3, 4, 5, 6] : [0, 1, 2, 3, 4, 5]);
      expect(r.arrived.every((a) => same(a.bytes, m))).toBe(true);
      expectEmpty(r);
    }
  });

  it.each(fragmentKinds)('of 1,153 bytes and 3 MB come in fragments, in any order: %s', (_, channel, cut) => {
    const r = new Receiver({ windowBytes: 1 << 23 });
    for (const [id, length] of [1153, 2304, 36_864, 36_865, 3_000_000].entries()) {
      const m = content(id, length);
      const frames = cut(id, m);
      // Odd ones backwards, then even ones.
      const order = [...frames.filter((_, i) => i % 2 === 1).reverse(), ...frames.filter((_, i) => i % 2 === 0)];
      for (const frame of order.slice(0, -1)) expect(r.read(frame)).toBe(TAKEN);
      expect(r.arrived).toEqual([]);
      expect(r.incoming.fragmentsHeld).toBe(frames.length - 1);
      expect(r.read(order.at(-1)!)).toBe(TAKEN);
      expect(r.arrived).toHaveLength(1);
      expect(r.arrived[0]).toMatchObject({ channel, tag: channel === LS ? 7 : 0 });
      expect(same(r.arrived.pop()!.bytes, m)).toBe(true);
      expectEmpty(r);
    }
  });

  it('of 64 MiB come whole through a window of 64 MiB', { timeout: 30_000 }, () => {
    const size = 1 << 26;
    const channels = new ChannelSet([spec('large', RO)]);
    const r = new Receiver({ channels, windowBytes: size, poolBytes: size + 65_536 });
    const part = content(1, 1152);
    const count = Math.ceil(size / 1152);
    for (let index = count - 1; index >= 0; index--) {
      part[0] = index;
      part[1] = index >> 8;
      r.read(piece(0, 0, size, index, index === count - 1 ? part.subarray(0, size % 1152) : part));
    }
    const [arrival] = r.arrived;
    expect(arrival!.bytes).toHaveLength(size);
    for (let index = 0; index < count; index++) {
      const at = index * 1152;
      const low = arrival!.bytes[at]! | (arrival!.bytes[at + 1]! << 8);
      if (low !== (index & 0xffff) || arrival!.bytes[at + 9] !== part[9])
        throw new Error(`piece ${index} is not its own`);
    }
    expectEmpty(r);
  });
});

describe('Ids', () => {
  it.each([
    ['reliable ordered', RO],
    ['reliable unordered', RU],
    ['reliable sequenced', RS],
    ['unreliable sequenced', US],
  ])('go on past 65,536, where their low bits begin again: %s', (_, channel) => {
    const r = new Receiver();
    const batch = Array.from({ length: 16 }, (_, i) => one(i));
    for (let first = 0; first < 80_000; first += 16) {
      expect(r.read(messages(channel, first & 0xffff, ...batch))).toBe(TAKEN);
      expect(r.read(messages(channel, (first - 16) & 0xffff, ...batch))).toBe(TAKEN);
    }
    expect(r.arrived).toHaveLength(80_000);
    expect(r.incoming.duplicates + r.incoming.stale).toBe(80_000);
  });

  it('of a key are compared in full: a value comes after 40,000 of other keys', () => {
    const r = new Receiver();
    r.read(keyed(LS, [10, 5, one(1)]));
    for (let id = 11; id < 40_011; id++) r.read(keyed(LS, [id & 0xffff, 6, one(2)]));
    expect(r.take()).toHaveLength(40_001);
    r.read(keyed(LS, [40_011, 5, one(3)], [40_000, 5, one(4)], [40_000, 7, one(5)]));
    expect(r.take()).toEqual([
      [5, one(3)],
      [7, one(5)],
    ]);
  });

  it('4,095 ahead of the expected one are taken, 4,096 ahead break the protocol', () => {
    for (const channel of [RO, RU]) {
      for (const frame of [
        (id: number) => messages(channel, id, one(1)),
        (id: number) => piece(channel, id, 1153, 1, one(1)),
        (id: number) => skip(channel, id, 1),
      ]) {
        const r = new Receiver();
        r.read(messages(channel, 0, one(1), one(1), one(1)));
        expect(r.read(frame(ID_WINDOW + 2))).toBe(TAKEN);
        expect(r.incoming.violationText).toBe('');
        expect(r.read(frame(ID_WINDOW + 3))).toBe(VIOLATION);
        expect(r.incoming.violationText).toContain('4,096 or more ahead');
        r.incoming.close(0);
        expectEmpty(r);
      }
    }
  });

  it('of a newest-wins channel may leave out thousands', () => {
    const r = new Receiver();
    for (const channel of [US, RS]) {
      r.read(messages(channel, 30_000, one(1)));
      r.read(messages(channel, 60_000, one(2)));
      r.read(messages(channel, 90_000 & 0xffff, one(3)));
      r.read(messages(channel, 60_000, one(4)));
      expect(r.takeFirst()).toEqual([1, 2, 3]);
    }
  });
});

describe('A reliable ordered channel', () => {
  it('hands over what waited when the hole is filled, straight after it', () => {
    const r = new Receiver();
    const large = content(3, 2000);
    r.read([messages(RO, 1, one(1), one(2)), ...fragments(RO, 3, large), messages(RO, 4, one(4))]);
    r.read(messages(RO, ID_WINDOW - 1, one(9)));
    expect(r.arrived).toEqual([]);
    expect(r.incoming.bytesHeld(0)).toBe(2000);
    r.read(messages(RO, 0, one(0), one(1), one(2)));
    expect(r.arrived.map((a) => (a.bytes.length > 1 ? 3 : a.bytes[0]))).toEqual([0, 1, 2, 3, 4]);
    expect(same(r.arrived[3]!.bytes, large)).toBe(true);
    expect(r.incoming.duplicates).toBe(2);
    expect(r.incoming.bytesHeld(0)).toBe(0);
    r.incoming.close(0);
    expectEmpty(r);
  });

  it('keeps a finished fragmented message in the block that it was built in', () => {
    const r = new Receiver();
    r.read(fragments(RO, 1, content(1, 3000)));
    expect(r.pool.heldBytes).toBe(4096);
    r.read(messages(RO, 0, one(0)));
    expect(r.arrived).toHaveLength(2);
    expectEmpty(r);
  });

  it('counts a copy of what waits as a duplicate, and holds and delivers it once', () => {
    const r = new Receiver();
    const frames = [
      messages(RO, 1, one(1)),
      ...fragments(RO, 2, content(2, 2000)),
      ...fragments(RO, 3, content(3, 40_000)),
    ];
    r.read(frames);
    const before = [r.pool.heldBytes, r.incoming.fragmentsHeld, r.incoming.bytesHeld(0)];
    r.read(frames);
    expect(r.incoming.duplicates).toBe(frames.length);
    expect([r.pool.heldBytes, r.incoming.fragmentsHeld, r.incoming.bytesHeld(0)]).toEqual(before);
    r.read(messages(RO, 0, one(0)));
    expect(r.take().map(([, m]) => m.length)).toEqual([1, 1, 2000, 40_000]);
    expectEmpty(r);
  });

  it('gives the bits of a message back when it is complete, while it waits', () => {
    const r = new Receiver();
    r.read(fragments(RO, 1, content(1, 40_000)));
    expect(r.pool.heldBytes).toBe(65_536);
  });

  it('takes a message whole of which fragments came before', () => {
    for (const channel of [RO, RU, RS]) {
      const r = new Receiver();
      const m = content(1, 1160);
      r.read(fragments(channel, 0, m)[0]!);
      r.read(messages(channel, 0, m));
      r.read(fragments(channel, 0, m)[1]!);
      expect(r.take()).toEqual([[0, m]]);
      expectEmpty(r);
    }
  });
});

describe('A skip', () => {
  it.each([
    ['reliable ordered', RO],
    ['reliable unordered', RU],
  ])('of messages that have arrived, are half there, wait or come later: %s', (_, channel) => {
    const r = new Receiver();
    r.read([messages(channel, 0, one(0)), fragments(channel, 1, content(1, 3000))[1]!, messages(channel, 3, one(3))]);
    expect(r.read(skip(channel, 0, 3))).toBe(TAKEN);
    expect(r.incoming.bytesHeld(0)).toBe(0);
    r.read([...fragments(channel, 1, content(1, 3000)), messages(channel, 2, one(2)), messages(channel, 4, one(4))]);
    expect(r.takeFirst()).toEqual([0, 3, 4]);
    expect(r.incoming.duplicates).toBe(4);
    expect(r.read([skip(channel, 0, 3), skip(channel, 0, 5)])).toBe(TAKEN);
    expect(r.incoming.duplicates).toBe(6);
    r.read(messages(channel, 5, one(5)));
    expect(r.takeFirst()).toEqual([5]);
    expectEmpty(r);
  });

  it('ahead of a hole takes what waits there, and is passed over when its turn comes', () => {
    const r = new Receiver();
    r.read([messages(RO, 1, one(1), one(2)), ...fragments(RO, 3, content(3, 5000)), messages(RO, 5, one(5))]);
    expect(r.read(skip(RO, 2, 3))).toBe(TAKEN);
    expect(r.incoming.bytesHeld(0)).toBe(0);
    r.read(messages(RO, 0, one(0)));
    expect(r.takeFirst()).toEqual([0, 1, 5]);
    expectEmpty(r);
  });

  it('keeps what it names from arriving before its turn comes', () => {
    const r = new Receiver();
    r.read([
      skip(RO, 2, 2),
      messages(RO, 1, one(1), one(2)),
      ...fragments(RO, 3, content(3, 2000)),
      messages(RO, 4, one(4)),
    ]);
    expect(r.incoming.duplicates).toBe(3);
    expect(r.incoming.bytesHeld(0)).toBe(0);
    r.read(messages(RO, 0, one(0)));
    expect(r.takeFirst()).toEqual([0, 1, 4]);
    expectEmpty(r);
  });

  it('is passed over where nothing else waits', () => {
    for (const channel of [RO, RU]) {
      const r = new Receiver();
      r.read([skip(channel, 1, 2), messages(channel, 0, one(0)), messages(channel, 3, one(3))]);
      expect(r.takeFirst()).toEqual([0, 3]);
      expectEmpty(r);
    }
  });

  it('ends with the connection', () => {
    for (const channel of [RO, RU]) {
      const r = new Receiver();
      r.read(skip(channel, 1, 2));
      r.incoming.close(0);
      r.incoming.open(0);
      r.read(messages(channel, 0, one(0), one(1), one(2)));
      expect(r.takeFirst()).toEqual([0, 1, 2]);
    }
  });

  it('of a whole window is taken, one more breaks the protocol, none is malformed', () => {
    for (const channel of [RO, RU]) {
      const r = new Receiver();
      expect(r.read(skip(channel, 0, ID_WINDOW + 1))).toBe(VIOLATION);
      expect(r.read(skip(channel, 1, ID_WINDOW))).toBe(VIOLATION);
      expect(r.read(skip(channel, 0, 0))).toBe(MALFORMED);
      expect(r.read(skip(channel, 5, ID_WINDOW - 5))).toBe(TAKEN);
      expect(r.read(skip(channel, 0, ID_WINDOW))).toBe(TAKEN);
      expect(r.read(messages(channel, ID_WINDOW, one(1)))).toBe(TAKEN);
      expect(r.take()).toHaveLength(1);
      expect(r.read(skip(channel, 0xfff0, 10))).toBe(TAKEN);
      expect(r.read(skip(channel, 0xfff0, 0xfff_ffff))).toBe(VIOLATION);
      expectEmpty(r);
    }
  });

  it('of a reliable sequenced channel ends what is half there, for good', () => {
    const r = new Receiver();
    const [first, second] = fragments(RS, 4, content(4, 2000));
    r.read([messages(RS, 1, one(1)), first!, skip(RS, 4, 1)]);
    expectEmpty(r);
    r.read([first!, second!, skip(RS, 4, 1), messages(RS, 5, one(5))]);
    expect(r.takeFirst()).toEqual([1, 5]);
    expect(r.read(skip(RS, 6, ID_WINDOW + 1))).toBe(VIOLATION);
    expectEmpty(r);
  });

  it('says nothing on a latest-state channel, and does not belong on others', () => {
    const r = new Receiver();
    expect(r.read(skip(LS, 0, 5))).toBe(TAKEN);
    r.read(keyed(LS, [0, 0, one(1)]));
    expect(r.takeFirst()).toEqual([1]);
    for (const channel of [U, US, TI]) expect(r.read(skip(channel, 0, 1))).toBe(MALFORMED);
  });
});

describe('Newest wins', () => {
  it('fragments of a newer message end an older one, and late ones of that are stale', () => {
    for (const [channel, cut] of [
      [RS, (id: number, m: Uint8Array) => fragments(RS, id, m)],
      [LS, (id: number, m: Uint8Array) => fragments(LS, id, m, 3)],
    ] as const) {
      const r = new Receiver();
      const older = cut(1, content(1, 3000));
      const newer = cut(2, content(2, 2000));
      r.read([older[0]!, older[1]!, newer[0]!, older[2]!]);
      expect(r.incoming.stale).toBe(1);
      expect(r.incoming.bytesHeld(0)).toBe(2000);
      r.read(newer[1]!);
      r.read(older);
      expect(r.arrived.map((a) => [a.channel, a.bytes.length])).toEqual([[channel, 2000]]);
      expectEmpty(r);
    }
  });

  it('ids are expanded by fragments too', () => {
    const r = new Receiver();
    r.read([piece(RS, 30_000, 2000, 1, bytes(848)), messages(RS, 60_000, one(2))]);
    r.read([keyedPiece(LS, 30_000, 1, 2000, 1, bytes(848)), keyed(LS, [60_000, 1, one(3)])]);
    expect(r.takeFirst()).toEqual([2, 3]);
    expectEmpty(r);
  });

  it('keys do not touch each other', () => {
    const r = new Receiver();
    r.read([keyedPiece(LS, 1, 3, 2000, 1, bytes(848)), keyed(LS, [5, 4, one(5)], [0, 1023, one(6)], [6, 0, one(7)])]);
    expect(r.incoming.bytesHeld(0)).toBe(2000);
    r.read(keyedPiece(LS, 1, 3, 2000, 0, bytes(1152)));
    expect(r.take().map(([key]) => key)).toEqual([4, 1023, 0, 3]);
    expectEmpty(r);
  });

  it('an unreliable sequenced message drops the unfinished ones before it, and not those after it', () => {
    const r = new Receiver();
    const large = fragments(US, 6, content(6, 2000));
    r.read([fragments(US, 3, content(3, 2000))[0]!, large[0]!, messages(US, 5, one(5))]);
    expect(r.incoming.unreliableDropped).toBe(1);
    expect(r.incoming.messagesHeld).toBe(1);
    r.read(large[1]!);
    expect(r.arrived.map((a) => a.bytes.length)).toEqual([1, 2000]);
    expectEmpty(r);
  });
});

describe('Tick input', () => {
  it('takes each tick once, rising, with its number', () => {
    const r = new Receiver();
    r.read(input(TI, 10, one(10), one(11)));
    r.read(input(TI, 9, one(9), one(10), one(11), one(12)));
    r.read(input(TI, 20, one(20)));
    r.read(input(TI, 13, one(13)));
    r.read(input(TI, 0xffff_fffe, one(1), one(2)));
    expect(r.take()).toEqual([
      [10, one(10)],
      [11, one(11)],
      [12, one(12)],
      [20, one(20)],
      [0xffff_fffe, one(1)],
      [0xffff_ffff, one(2)],
    ]);
    expect(r.incoming.stale).toBe(4);
    expect(r.read(input(TI, 0xffff_ffff, one(1), one(2)))).toBe(MALFORMED);
  });
});

describe('A sink that throws', () => {
  const throwing = (r: Receiver, at: number, frames: Uint8Array[]) => {
    r.throwIn = at;
    expect(() => r.read(frames)).toThrow('the game threw');
    r.throwIn = Number.POSITIVE_INFINITY;
  };

  it('is given each reliable message once: those before the throw are not repeated, those after it come', () => {
    for (const channel of [RO, RU, RS]) {
      for (let at = 0; at < 3; at++) {
        const r = new Receiver();
        const frame = [messages(channel, 0, one(0), one(1), one(2))];
        throwing(r, at, frame);
        r.read(frame);
        expect(r.takeFirst()).toEqual([0, 1, 2]);
      }
    }
  });

  it('is given what waited behind a hole when `expire` is called, as `deadline` asks', () => {
    for (let at = 0; at < 4; at++) {
      const r = new Receiver();
      r.read([messages(RO, 1, one(1)), ...fragments(RO, 2, content(2, 2000)), messages(RO, 3, one(3))]);
      throwing(r, at, [messages(RO, 0, one(0))]);
      expect(r.arrived).toHaveLength(at + 1);
      expect(r.incoming.deadline()).toBe(0);
      // The same again, and what comes behind, keep their turn.
      r.read([messages(RO, 0, one(0)), messages(RO, 5, one(5))]);
      if (at < 3) {
        r.throwIn = 0;
        expect(() => r.incoming.expire(r.now, r)).toThrow('the game threw');
        r.throwIn = Number.POSITIVE_INFINITY;
      }
      r.incoming.expire(r.now, r);
      expect(r.incoming.deadline()).toBe(NEVER);
      r.read(messages(RO, 4, one(4)));
      expect(r.arrived.map((a) => (a.bytes.length > 1 ? 2 : a.bytes[0]))).toEqual([0, 1, 2, 3, 4, 5]);
      expectEmpty(r);
    }
  });

  it('gives the block back of a fragmented message', () => {
    for (const [, , cut] of fragmentKinds) {
      const r = new Receiver();
      throwing(r, 0, cut(0, content(0, 2000)));
      r.read(cut(0, content(0, 2000)));
      expect(r.arrived).toHaveLength(1);
      r.incoming.expire(NEVER, r);
      expectEmpty(r);
    }
  });

  it('after a close is not asked again', () => {
    const r = new Receiver();
    r.read(messages(RO, 1, one(1), one(2)));
    throwing(r, 0, [messages(RO, 0, one(0))]);
    r.incoming.close(0);
    r.incoming.open(0);
    r.read(messages(RO, 1, one(1)));
    r.incoming.expire(r.now, r);
    expect(r.takeFirst()).toEqual([0]);
    r.incoming.close(0);
    expectEmpty(r);
  });
});

describe('Malformed', () => {
  const r = new Receiver({
    channels: new ChannelSet([0, 1, 2, 3, 4, 5, 6].map((kind) => spec(`${kind}`, kind, kind === 6 ? 100 : 5000, 50))),
  });
  const good: [string, Uint8Array][] = [
    ['plain', plain(U, one(1), bytes(200))],
    ['messages, unreliable sequenced', messages(US, 0, one(1), bytes(200))],
    ['messages, ordered', messages(RO, 0, one(1), bytes(200))],
    ['messages, unordered', messages(RU, 0, one(1), bytes(200))],
    ['messages, sequenced', messages(RS, 0, one(1), bytes(200))],
    ['keyed', keyed(LS, [0, 49, one(1)], [1, 1, bytes(200)])],
    ['input', input(TI, 0, one(1), bytes(100))],
    ['fragment', piece(RO, 2, 1300, 1, bytes(148))],
    ['keyed fragment', keyedPiece(LS, 2, 49, 1300, 1, bytes(148))],
    ['skip', skip(RO, 3, 2)],
  ];

  it.each(good)('is a frame that is cut off anywhere: %s', (_, frame) => {
    for (let end = 1; end < frame.length; end++) expect(r.read(frame.slice(0, end))).toBe(MALFORMED);
    expect(r.read(frame)).toBe(TAKEN);
  });

  it.each<[string, Uint8Array]>([
    ['a channel that is not there', plain(7, one(1))],
    ['a varint of five bytes', join([0x50, U, 0x80, 0x80, 0x80, 0x80, 0])],
    ['a fragment of a message of 1,152 bytes', piece(RO, 9, 1152, 0, bytes(1152))],
    ['a fragment of a message of no bytes', piece(RO, 9, 0, 0, bytes(0))],
    ['a fragment longer than the channel allows', piece(RO, 9, 5001, 0, bytes(1152))],
    ['a fragment above 64 MiB', piece(RO, 9, (1 << 26) + 1, 0, bytes(1152))],
    ['an index beyond the size', piece(RO, 9, 2304, 2, bytes(1152))],
    ['an index far beyond the size', piece(RO, 9, 2304, 0xfff_ffff, bytes(1152))],
    ['a fragment that is too short', piece(RO, 9, 2304, 1, bytes(1151))],
    ['a message longer than the channel allows', input(TI, 0, bytes(101))],
    ['a key beyond the keys', keyed(LS, [9, 50, one(1)])],
    ['a key beyond the keys, in fragments', keyedPiece(LS, 9, 50, 1300, 1, bytes(148))],
    ['a fragment with a key on a channel without', keyedPiece(RO, 9, 0, 1300, 1, bytes(148))],
    ['a fragment without a key on a channel with keys', piece(LS, 9, 1300, 1, bytes(148))],
    ['a fragment of a tick', piece(TI, 9, 1300, 1, bytes(148))],
    ['a skip of nothing', skip(RO, 9, 0)],
    ['a frame of another family', join([0x10, RO], varint(0))],
  ])('is %s', (_, frame) => {
    expect(r.read(frame)).toBe(MALFORMED);
  });

  it('is a frame that the kind does not use', () => {
    const frames = (channel: number): [string, Uint8Array][] => [
      ['p', plain(channel, one(1))],
      ['m', messages(channel, 0, one(1))],
      ['k', keyed(channel, [0, 0, one(1)])],
      ['i', input(channel, 0, one(1))],
    ];
    const uses = ['p', 'm', 'm', 'm', 'm', 'k', 'i'];
    for (let channel = 0; channel < 7; channel++) {
      const fresh = new Receiver();
      for (const [name, frame] of frames(channel)) {
        expect(fresh.read(frame)).toBe(name === uses[channel] ? TAKEN : MALFORMED);
      }
    }
  });

  it('the messages of a frame before the place where it is cut off count, and are not repeated', () => {
    const fresh = new Receiver();
    const frame = messages(RO, 0, one(0), one(1), one(2));
    expect(fresh.read(frame.slice(0, -1))).toBe(MALFORMED);
    expect(fresh.read(frame)).toBe(TAKEN);
    expect(fresh.takeFirst()).toEqual([0, 1, 2]);
  });
});

describe('Fragments that contradict each other', () => {
  it.each(fragmentKinds)('in the size of the message break the protocol: %s', (_, channel, cut) => {
    const r = new Receiver();
    r.read(cut(0, content(0, 3000))[0]!);
    expect(r.read(cut(0, content(0, 3001))[1]!)).toBe(VIOLATION);
    expect(r.incoming.violationText).toBe(
      `channel ${EVERY_KIND.names[channel]}: a fragment gives its message another size`,
    );
    r.incoming.close(0);
    expectEmpty(r);
  });
});

describe('Memory', () => {
  it.each(reliableKinds)('beyond the window breaks the protocol, exactly: %s', (_, channel, cut) => {
    const r = new Receiver({ windowBytes: 65_536 });
    // Another channel counts too.
    r.read(fragments(channel === RU ? RO : RU, 5, content(1, 30_000))[0]!);
    expect(r.read(cut(3, content(1, 35_536))[0]!)).toBe(TAKEN);
    expect(r.incoming.bytesHeld(0)).toBe(65_536);
    expect(r.read(fragments(channel === RU ? RO : RU, 6, content(1, 1153))[0]!)).toBe(VIOLATION);
    expect(r.incoming.violationText).toContain('window');
    r.incoming.close(0);
    r.incoming.open(0);
    r.read(fragments(channel === RU ? RO : RU, 5, content(1, 30_000))[0]!);
    expect(r.read(cut(3, content(1, 35_537))[0]!)).toBe(VIOLATION);
    // Another connection has its own.
    expect(r.read(cut(3, content(1, 35_536))[0]!, 1)).toBe(TAKEN);
    r.incoming.close(0);
    r.incoming.close(1);
    expectEmpty(r);
  });

  it.each(reliableKinds)(
    'of the pool that is full refuses reliable fragments, which come again: %s',
    (_, _channel, cut) => {
      const r = new Receiver({ poolBytes: 8192 });
      const hog = fragments(RO, 1, content(1, 5000));
      expect(r.read(hog[0]!, 1)).toBe(TAKEN);
      const frames = cut(0, content(0, 2000));
      for (const frame of frames) expect(r.read(frame)).toBe(REFUSED);
      expect(r.incoming.refused).toBe(2);
      expect(r.incoming.bytesHeld(0)).toBe(0);
      r.incoming.close(1);
      r.read(frames);
      expect(r.arrived.map((a) => a.bytes.length)).toEqual([2000]);
      expectEmpty(r);
    },
  );

  it('of the pool that is full refuses what would wait behind a hole, and not what is next', () => {
    const r = new Receiver({ poolBytes: 2048 }); // of which one connection has half
    expect(r.read(messages(RO, 1, bytes(500), bytes(500), bytes(500), one(4)))).toBe(REFUSED);
    expect(r.incoming.refused).toBe(2);
    expect(r.read(messages(RO, 0, one(0)))).toBe(TAKEN);
    expect(r.take().map(([, m]) => m.length)).toEqual([1, 500, 500]);
    r.read(messages(RO, 1, bytes(500), bytes(500), bytes(500), one(4)));
    expect(r.take().map(([, m]) => m.length)).toEqual([500, 1]);
    expectEmpty(r);
  });

  it('of unreliable messages goes first when the pool is full, the oldest before the others', () => {
    const r = new Receiver({ poolBytes: 8192 });
    for (let id = 0; id < 4; id++) r.read(fragments(U, id, content(id, 2000))[0]!);
    expect(r.pool.heldBytes).toBe(8192);
    r.read(fragments(RU, 0, content(9, 2000))[0]!);
    expect(r.incoming.unreliableDropped).toBe(1);
    // The oldest was dropped: it lacks what came before.
    r.read([...[1, 2, 3].map((id) => fragments(U, id, content(id, 2000))[1]!)]);
    expect(r.arrived.map((a) => a.bytes[0])).toEqual([1, 2, 3]);
    r.read(fragments(RU, 0, content(9, 2000)));
    expectEmpty(r);
  });

  it('is not taken from others for what cannot fit anyway', () => {
    const r = new Receiver({ poolBytes: 8192 });
    r.read(fragments(U, 0, content(1, 2000))[0]!);
    expect(r.read(fragments(US, 0, content(1, 9000))[0]!)).toBe(TAKEN);
    expect(r.read(fragments(RO, 0, content(1, 9000))[0]!)).toBe(REFUSED);
    expect(r.incoming.messagesHeld).toBe(1);
    expect(r.incoming.unreliableDropped).toBe(1);
  });

  it('is not thought to be free because of unreliable messages that are gone', () => {
    const r = new Receiver({ poolBytes: 1 << 17 });
    const large = content(1, 36_865);
    // So often that even 64 bytes of each, forgotten in the reckoning, would be as much as is held below.
    for (let id = 0; id < 1100; id++) r.read([...fragments(U, id, large), fragments(US, id, content(id, 2000))[0]!]);
    r.incoming.expire(NEVER, r);
    expectEmpty(r);
    r.read([fragments(RO, 1, content(1, 70_000))[0]!, fragments(U, 1100, content(1, 2000))[0]!]);
    r.incoming.close(0);
    r.read([fragments(RU, 1, content(1, 60_000))[0]!, fragments(U, 0, content(1, 2000))[0]!]);
    const dropped = r.incoming.unreliableDropped;
    expect(r.read(fragments(RU, 2, content(1, 70_000))[0]!)).toBe(REFUSED);
    expect(r.incoming.unreliableDropped).toBe(dropped);
  });

  it('of a message whose bits find no room is given back', () => {
    for (const [poolBytes, answer] of [
      [65_536, REFUSED],
      [65_600, TAKEN],
    ] as const) {
      const r = new Receiver({ poolBytes });
      for (const frame of fragments(RU, 0, content(0, 40_000))) expect(r.read(frame)).toBe(answer);
      expectEmpty(r);
    }
  });

  it('comes back at a close, from every kind, and the row begins anew', () => {
    const r = new Receiver();
    for (let round = 0; round < 3; round++) {
      for (const [, , cut] of fragmentKinds) r.read(cut(3, content(3, 40_000)).slice(1));
      r.read([messages(RO, 9, one(1)), messages(RU, 9, one(1)), messages(RS, 9, one(1)), messages(US, 9, one(1))]);
      r.read([skip(RO, 20, 5), skip(RU, 20, 5), keyed(LS, [9, 9, one(1)]), input(TI, 9, one(1)), plain(U, one(1))]);
      expect(r.arrived).toHaveLength(6);
      expect(r.incoming.messagesHeld).toBeGreaterThan(4);
      r.incoming.close(0);
      expectEmpty(r);
      r.incoming.open(0);
      r.arrived.length = 0;
    }
    for (const channel of [US, RO, RU, RS]) r.read(messages(channel, 0, one(channel)));
    r.read([keyed(LS, [0, 9, one(5)]), input(TI, 0, one(6))]);
    expect(r.takeFirst()).toEqual([1, 2, 3, 4, 5, 6]);
  });
});

describe('Unfinished unreliable messages', () => {
  it('are at most eight a channel, the oldest is dropped', () => {
    for (const channel of [U, US]) {
      const r = new Receiver();
      for (let id = 0; id < 9; id++) r.read(fragments(channel, id, content(id, 2000))[0]!);
      expect(r.incoming.messagesHeld).toBe(8);
      expect(r.incoming.unreliableDropped).toBe(1);
      for (let id = 1; id < 9; id++) r.read(fragments(channel, id, content(id, 2000))[1]!);
      expect(r.takeFirst()).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
      expectEmpty(r);
    }
  });

  it('end five seconds after their first fragment', () => {
    const r = new Receiver();
    expect(r.incoming.deadline()).toBe(NEVER);
    r.read(fragments(U, 0, content(0, 3000))[0]!);
    const due = r.now + 5_000_000;
    r.now += 1_000_000;
    r.read([fragments(US, 0, content(0, 3000))[0]!, fragments(U, 0, content(0, 3000))[1]!]);
    expect(r.incoming.deadline()).toBe(due);
    r.incoming.expire(due - 1, r);
    expect(r.incoming.messagesHeld).toBe(2);
    r.incoming.expire(due, r);
    expect(r.incoming.messagesHeld).toBe(1);
    expect(r.incoming.deadline()).toBe(due + 1_000_000);
    r.incoming.expire(due + 1_000_000, r);
    expect(r.incoming.unreliableDropped).toBe(2);
    expect(r.incoming.deadline()).toBe(NEVER);
    expectEmpty(r);
  });

  it('are not begun for a fragment that is 32 or more ids behind the newest', () => {
    const r = new Receiver();
    r.read([...fragments(U, 50, content(0, 2000)), fragments(U, 18, content(0, 2000))[0]!]);
    expect(r.incoming.stale).toBe(1);
    r.read(fragments(U, 19, content(0, 2000)));
    expect(r.arrived).toHaveLength(2);
    expectEmpty(r);
  });

  it('that are finished do not begin again when their fragments are repeated', () => {
    const r = new Receiver();
    for (let id = 0; id < 40; id++) {
      for (let again = 0; again < 2; again++) r.read(fragments(U, id, content(id, 2000)));
    }
    for (let id = 0; id < 40; id++) r.read(fragments(U, id, content(id, 2000)));
    expect(r.arrived).toHaveLength(40);
    expectEmpty(r);
  });
});
