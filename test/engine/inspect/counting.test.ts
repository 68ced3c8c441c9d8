/** What the sniffer counts: flows, numbers, handshakes, sources. */

import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  AMPLIFICATION_MAX,
  findingsOf,
  SOURCE_PACKETS_PER_SECOND_MAX,
} from '../../../engine/inspect/sniff/findings.ts';
import { count, flowLines } from '../../../engine/inspect/sniff/flow-lines.ts';
import { FlowTable } from '../../../engine/inspect/sniff/flow-table.ts';
import { PacketWatch } from '../../../engine/inspect/sniff/packet-watch.ts';
import { SequenceColumns, WINDOW } from '../../../engine/inspect/sniff/sequence-columns.ts';
import { watchReport } from '../../../engine/inspect/sniff/sniff-report.ts';
import { TUPLE_WORDS } from '../../../engine/inspect/sniff/tuple.ts';
import { REQUEST_BYTES, VERSION } from '../../../transport/netcode/packets.ts';
import { heapBytesOfSlices } from '../../sys/collect-garbage.ts';
import { buildFrame, packetPlan } from '../../sys/wire/packet-plan.ts';
import { udpFrame } from './frames.ts';

const CLIENT = '10.0.0.1:50000';
const SERVER = '10.0.0.2:40000';

function tuple(source: number, destination: number, sourcePort: number, destinationPort: number): Int32Array {
  const words = new Int32Array(TUPLE_WORDS);
  words.set([0, 0, 0xffff, source, 0, 0, 0xffff, destination, sourcePort, destinationPort, 17]);
  return words;
}

/** A request, or a packet of `type` with a number and so many bytes of data. */
const request = (): Uint8Array => {
  const bytes = new Uint8Array(REQUEST_BYTES);
  bytes.set(VERSION, 1);
  return bytes;
};
function sealed(type: number, number: number, dataBytes: number): Uint8Array {
  const bytes = new Uint8Array(1 + 4 + dataBytes + 16);
  bytes[0] = type | (4 << 4);
  new DataView(bytes.buffer).setUint32(1, number, true);
  return bytes;
}
function beforeSession(type: number, dataBytes: number): Uint8Array {
  const bytes = new Uint8Array(1 + 8 + dataBytes + 16);
  bytes[0] = type | (8 << 4);
  bytes[8] = 0x80;
  return bytes;
}

/** A watch, and a way to show it datagrams by time in milliseconds. */
function watching() {
  const watch = new PacketWatch(3);
  const show = (millis: number, from: string, to: string, payload: Uint8Array): void => {
    const frame = udpFrame(from, to, payload);
    watch.addFrame(frame, 0, frame.length, frame.length, 1000 + Math.floor(millis / 1000), (millis % 1000) * 1e6);
  };
  return {
    watch,
    show,
    up: (millis: number, payload: Uint8Array) => show(millis, CLIENT, SERVER, payload),
    down: (millis: number, payload: Uint8Array) => show(millis, SERVER, CLIENT, payload),
  };
}

describe('the flow table', () => {
  it('has both directions of a conversation in one flow, and others in others', () => {
    const table = new FlowTable(7, 16);
    const a = table.add(tuple(1, 2, 10, 20), 100, 5, 0);
    expect([table.isNew, table.side]).toEqual([true, 0]);
    expect(table.add(tuple(2, 1, 20, 10), 50, 6, 0)).toBe(a);
    expect([table.isNew, table.side]).toEqual([false, 1]);
    for (const other of [tuple(1, 2, 20, 10), tuple(2, 1, 10, 20), tuple(1, 2, 10, 21), tuple(1, 3, 10, 20)])
      expect(table.add(other, 1, 7, 0)).not.toBe(a);
    const tcp = tuple(1, 2, 10, 20);
    tcp[10] = 6;
    expect(table.add(tcp, 1, 7, 0)).not.toBe(a);
    expect([table.packets[2 * a], table.bytes[2 * a], table.packets[2 * a + 1], table.bytes[2 * a + 1]]).toEqual([
      1, 100, 1, 50,
    ]);
    expect(table.spanSeconds(a)).toBe(1);
  });

  it('lets the flow that was silent longest make room, and counts it', () => {
    const table = new FlowTable(7, 4);
    for (let i = 0; i < 4; i++) table.add(tuple(1, 2, i, 20), 10, i, 0);
    table.add(tuple(1, 2, 0, 20), 10, 10, 0); // 0 speaks again: 1 is the oldest
    table.add(tuple(1, 2, 99, 20), 10, 11, 0);
    expect(table.index.evicted).toBe(1);
    expect(Array.from(table.gone)).toEqual([1, 10]);
    expect(table.count).toBe(4);
    for (const port of [0, 2, 3, 99]) {
      table.add(tuple(1, 2, port, 20), 10, 12, 0);
      expect([port, table.isNew]).toEqual([port, false]);
    }
    table.add(tuple(1, 2, 1, 20), 10, 13, 0);
    expect(table.isNew).toBe(true);
  });

  it('counts every packet once, in the table or among what has gone, like a Map would', () => {
    fc.assert(
      fc.property(fc.array(fc.record({ port: fc.nat(30), back: fc.boolean() }), { maxLength: 300 }), (packets) => {
        const table = new FlowTable(1, 8);
        for (const [i, { port, back }] of packets.entries())
          table.add(back ? tuple(2, 1, 20, port) : tuple(1, 2, port, 20), 1, i, 0);
        let sum = table.gone[0]!;
        for (let lane = 0; lane < 2 * table.count; lane++) sum += table.packets[lane]!;
        expect(sum).toBe(packets.length);
        // The 8 that spoke last are there.
        const last = [...new Set(packets.map(({ port }) => port).reverse())].slice(0, 8);
        for (const port of last) {
          table.add(tuple(1, 2, port, 20), 1, packets.length, 0);
          expect(table.isNew).toBe(false);
        }
      }),
    );
  });
});

describe('the numbers of a lane', () => {
  const add = (columns: SequenceColumns, number: number): number =>
    columns.add(0, (number % 2 ** 32) | 0, Math.floor(number / 2 ** 32));

  it('tell what is missing, late and doubled, as a set of them would', () => {
    fc.assert(
      fc.property(
        fc.nat(2 ** 40),
        fc.array(fc.integer({ min: -60, max: 49 }), { minLength: 100, maxLength: 300 }),
        (start, steps) => {
          const columns = new SequenceColumns(1);
          const seen = new Set<number>();
          let highest = -1;
          let late = 0;
          let duplicates = 0;
          for (const step of [0, ...steps]) {
            const number = highest < 0 ? start + 1000 : Math.max(highest + step, start + 1000);
            if (highest - number >= WINDOW) continue;
            if (seen.has(number)) duplicates++;
            else if (number < highest) late++;
            seen.add(number);
            highest = Math.max(highest, number);
            add(columns, number);
          }
          expect(columns.expected(0)).toBe(highest - (start + 1000) + 1);
          expect(columns.missing(0)).toBe(columns.expected(0) - seen.size);
          expect([columns.late[0], columns.duplicates[0]]).toEqual([late, duplicates]);
        },
      ),
    );
  });

  it('that leap are another connection when they go on from there, and an accident when they do not', () => {
    const columns = new SequenceColumns(1);
    for (const number of [10, 11, 13]) add(columns, number);
    add(columns, 9_000_000);
    for (const number of [14, 15]) add(columns, number);
    expect([columns.expected(0), columns.missing(0)]).toEqual([6, 1]);
    for (const number of [9_000_000, 9_000_001, 9_000_003]) add(columns, number);
    expect([columns.expected(0), columns.missing(0)]).toEqual([6 + 3, 1 + 1]);
  });
});

describe('netcode in the clear', () => {
  it('shows the handshake: who asks whom, round trips on both sides, bytes answered before the proof', () => {
    const { watch, up, down } = watching();
    up(0, request());
    down(30, beforeSession(2, 308));
    up(80, sealed(3, 0, 308));
    down(120, sealed(4, 0, 8));
    const [flow] = watchReport(watch).flows;
    expect(flow!.netcode).toMatchObject({
      certainty: 'sure',
      client: CLIENT,
      toServerMicros: 30_000,
      toClientMicros: 50_000,
      types: [1, 0, 1, 1, 1, 0, 0, 0, 0, 0],
      strangers: 0,
    });
    expect(flow!.netcode!.amplification).toBeCloseTo(333 / 1078);
    expect(findingsOf(watch)).toEqual([]);
  });

  it('gives no round trip of what was repeated', () => {
    const { watch, up, down } = watching();
    up(0, request());
    up(100, request());
    down(110, beforeSession(2, 308));
    down(120, beforeSession(2, 308));
    up(150, sealed(3, 0, 308));
    expect(watchReport(watch).flows[0]!.netcode).toMatchObject({ toServerMicros: null, toClientMicros: null });
  });

  it('shows loss in each direction, without late ones, and goes on with a second connection', () => {
    const { watch, up, down } = watching();
    up(0, request());
    for (let i = 0; i < 100; i++) if (i % 10 !== 3) up(10 + i, sealed(5, i, 50));
    for (const i of [1000, 1001, 1003, 1002, 1004]) down(200 + i, sealed(5, i, 50));
    const numbers = () => {
      const { forward, back } = watchReport(watch).flows[0]!;
      return [forward.numbers, back.numbers];
    };
    expect(numbers()).toMatchObject([
      { expected: 100, missing: 10, lossShare: 0.1, late: 0 },
      { expected: 5, missing: 0, late: 1 },
    ]);
    up(2000, sealed(3, 100, 308));
    up(2010, request());
    for (let i = 0; i < 10; i++) up(2100 + i, sealed(5, i, 50));
    expect(numbers()[0]).toMatchObject({ expected: 101 + 10, missing: 10, late: 0, stale: 0 });
  });

  it('is likely where no request was seen but numbers go on, and is not seen in chance', () => {
    const { watch, up } = watching();
    for (let i = 0; i < 15; i++) up(i, sealed(5, 500 + i, 100));
    expect(watchReport(watch).flows[0]!.netcode).toBe(null);
    up(20, sealed(5, 515, 100));
    expect(watchReport(watch).flows[0]!.netcode).toMatchObject({ certainty: 'likely', client: null });
    const random = watching();
    let state = 1;
    const next = (): number => {
      state = (Math.imul(state, 1103515245) + 12345) >>> 0;
      return state >>> 16;
    };
    for (let i = 0; i < 20_000; i++)
      random.up(
        i,
        Uint8Array.from({ length: 40 + (next() % 400) }, () => next()),
      );
    expect(watchReport(random.watch).flows[0]!.netcode).toBe(null);
  });

  it('names a server that answers more than it was asked', () => {
    const { watch, up, down } = watching();
    up(0, request());
    for (let i = 0; i < 4; i++) down(i, beforeSession(2, 308));
    const [finding] = findingsOf(watch);
    expect(finding).toMatchObject({ kind: 'amplification', address: SERVER, limit: AMPLIFICATION_MAX });
    expect(finding!.value).toBeCloseTo((4 * 333) / 1078);
  });
});

describe('sources', () => {
  it('are named that send too many packets in one second, or with wrong headers', () => {
    const { watch, show } = watching();
    for (let i = 0; i <= SOURCE_PACKETS_PER_SECOND_MAX; i++)
      show(500, `10.0.0.9:${1000 + (i % 100)}`, SERVER, Uint8Array.of(i));
    for (let i = 0; i < 200; i++) {
      const frame = udpFrame('10.0.0.8:1', SERVER, new Uint8Array(20));
      if (i % 20 === 0) frame[39] = i % 40 === 0 ? 7 : 29; // shorter than its header, longer than the packet
      watch.addFrame(frame, 0, frame.length, frame.length, 1000, i);
    }
    expect(watch.malformed).toBe(10);
    expect(findingsOf(watch)).toMatchObject([
      { kind: 'loud-source', address: '10.0.0.9', value: SOURCE_PACKETS_PER_SECOND_MAX + 1 },
      { kind: 'malformed-source', address: '10.0.0.8', value: 0.05 },
    ]);
    expect(watchReport(watch).sources[0]).toMatchObject({ address: '10.0.0.9', malformed: 0 });
  });
});

describe('frames of every kind', () => {
  const frames = fc.sample(packetPlan, { seed: 11, numRuns: 500 }).map(buildFrame);

  it('are counted alike by the short way and the long one', () => {
    const report = (shift: number) => {
      const watch = new PacketWatch(5);
      for (let round = 0; round < 3; round++) {
        for (const [i, frame] of frames.entries()) {
          // An IPv4 option-less frame behind a VLAN tag takes the long way; what it counts is the same but for 4 bytes.
          const bytes = shift === 0 ? frame : tagged(frame);
          watch.addFrame(bytes, 0, bytes.length, bytes.length, 100 + round, i);
        }
      }
      const { bytes: _, flows, sources, ...rest } = watchReport(watch);
      const lanes = flows.map(({ from, to, protocol, forward, back, netcode, firstSeconds, lastSeconds }) => ({
        ...{ from, to, protocol, netcode, firstSeconds, lastSeconds },
        packets: [forward.packets, back.packets],
      }));
      return { rest, lanes, sources: sources.map(({ bytes: __, ...source }) => source) };
    };
    const untagged = frames.filter(
      (frame) => frame.length >= 14 && frame[12] !== 0x81 && frame[12] !== 0x88 && frame[12] !== 0x91,
    );
    frames.length = 0;
    frames.push(...untagged);
    const short = report(0);
    expect(short).toEqual(report(4));
    expect(short.lanes.length).toBeGreaterThan(100);
  });

  it('are not mixed up where there are more flows than the short way has places for', () => {
    const watch = new PacketWatch(5);
    const show = (port: number, second: number): void => {
      const frame = udpFrame(`10.0.0.1:${port}`, SERVER, Uint8Array.of(1));
      watch.addFrame(frame, 0, frame.length, frame.length, second, 0);
    };
    for (let round = 0; round < 3; round++) for (let port = 1; port <= 3000; port++) show(port, round);
    const counts = (): Set<number> => new Set(watchReport(watch).flows.map(({ forward }) => forward.packets));
    expect([watch.flows.count, counts()]).toEqual([3000, new Set([3])]);
    // More flows than the table has: each has made room before it speaks again.
    for (let round = 10; round < 13; round++) for (let port = 1; port <= 5000; port++) show(port, round);
    expect([watch.flows.count, counts()]).toEqual([4096, new Set([1])]);
    expect(watch.flows.gone[0]).toBe(watch.frames - 4096);
  });

  it('cut anywhere are never read beside their end', () => {
    const watch = new PacketWatch(5);
    for (const frame of frames)
      for (let end = 0; end <= frame.length; end += 1 + (end >> 4)) {
        const cut = frame.slice(0, end);
        watch.addFrame(cut, 0, end, end, 1, 1);
        watch.addFrame(cut, 0, end, frame.length, 1, 1);
      }
    expect(watch.malformed).toBeGreaterThan(frames.length);
  });

  function tagged(frame: Uint8Array): Uint8Array {
    return Uint8Array.from(Buffer.concat([frame.subarray(0, 12), Buffer.of(0x81, 0, 0, 5), frame.subarray(12)]));
  }
});

it('counting 100,000 packets of 64 connections allocates nothing', { timeout: 60_000 }, () => {
  const watch = new PacketWatch(9);
  const frames = Array.from({ length: 64 }, (_, i) => {
    if (i % 8 === 7) return udpFrame(`10.1.0.${i}:5000`, SERVER, new Uint8Array(100)); // not ours
    return i % 2 === 0
      ? udpFrame(`10.1.0.${i}:5000`, SERVER, sealed(5, 0, 100))
      : udpFrame(SERVER, `10.1.0.${i - 1}:5000`, sealed(5, 0, 60));
  });
  const arena = Uint8Array.from(
    Buffer.concat(frames.map((frame) => Buffer.concat([frame, Buffer.alloc(256 - frame.length)]))),
  );
  let number = 0;
  const pass = (): void => {
    for (let i = 0; i < 100_000; i++) {
      const slot = i & 63;
      const at = slot << 8;
      if (slot === 0) number++;
      arena[at + 43] = number;
      arena[at + 44] = number >> 8;
      arena[at + 45] = number >> 16;
      const bytes = frames[slot]!.length;
      watch.addFrame(arena, at, at + bytes, bytes, 1_795_537_720 + (number >> 10), (i * 997) | 0);
    }
  };
  const bytesAPacket: number[] = [];
  for (let round = 0; round < 6 && !(bytesAPacket.at(-1)! < 0.5); round++)
    bytesAPacket.push(heapBytesOfSlices(10, pass) / 1_000_000);
  expect(bytesAPacket.at(-1), `bytes a packet, round by round: ${bytesAPacket}`).toBeLessThan(0.5);
  expect(watchReport(watch).flows[0]!.netcode).toMatchObject({ certainty: 'likely' });
});

it('the table shows a line a flow, what is left out, and what was found', () => {
  const { watch, up, down } = watching();
  up(0, request());
  for (let i = 0; i < 4; i++) down(i, beforeSession(2, 308));
  const lines = flowLines(watchReport(watch, 1), 1, 200, () => 12_345);
  expect(lines[0]).toMatch(/^flow +packets +bytes +packets\/s +netcode +loss +rtt +note$/);
  expect(lines[1]).toMatch(/^udp 10\.0\.0\.1:50000 > 10\.0\.0\.2:40000 +1 \/ 4 +1120 \/ 1500 +12\.3k +sure +- \/ -/);
  expect(lines[2]).toMatch(/^! 10\.0\.0\.2:40000 answered 1\.24 times/);
  expect([0, 9999, 10_000, 999_900, 1e6, 12_345_678_901].map(count)).toEqual([
    '0',
    '9999',
    '10.0k',
    '1.00M',
    '1.00M',
    '12.3G',
  ]);
});
