/** Bytes through a socket: sizes, order, batches, columns. */

import { expect } from 'vitest';
import type { DatagramSocket } from '../../sys/api.ts';
import { ADDRESS_BYTES, addressOf, HEADROOM_BYTES, portOf } from '../../sys/api.ts';
import type { BackendFactory } from './backend.ts';
import { append, copies } from './outside.ts';
import type { Workbench, WorkbenchTest } from './workbench.ts';
import { numbered, numbersOf, pattern, SILENCE_MICROS, upTo } from './workbench.ts';

/** Datagram sizes that have gone wrong somewhere: none, one, a game packet, a slot, UDP's largest over IPv4. */
const SIZES = [0, 1, 100, 1200, 1472, 2048, 9000, 65_507];

export function datagramTests(test: WorkbenchTest, factory: BackendFactory): void {
  const { capabilities } = factory;

  for (const size of SIZES.filter((bytes) => bytes <= capabilities.maxDatagramBytes)) {
    test(`carries ${size} bytes in from outside and out again, unchanged`, async (workbench) => {
      const socket = await workbench.openUdp({ slotBytes: Math.max(size, 1), rxSlots: 4, txSlots: 4 });
      const outside = await workbench.openOutside();
      await outside.send(socket.localAddress, pattern(size, 1));
      const [incoming] = await workbench.collect(socket, 1);
      expect(incoming!.bytes).toEqual(pattern(size, 1));
      expect(incoming!.from).toEqual(outside.address);

      append(socket, incoming!.from, pattern(size, 2));
      expect(socket.flush()).toBe(1);
      const answer = await outside.receive();
      expect(answer.bytes).toEqual(pattern(size, 2));
      expect(answer.from).toEqual(socket.localAddress);
    });
  }

  test('receives 0 when nothing is waiting, and again after a drain', async (workbench) => {
    const [a, b] = await pair(workbench);
    expect(b.receive()).toBe(0);
    expect(b.rx.count).toBe(0);
    await workbench.sendAll(a, b.localAddress, [pattern(5)]);
    expect(await workbench.collect(b, 1)).toHaveLength(1);
    expect(b.receive()).toBe(0);
    expect(b.rx.count).toBe(0);
  });

  test('flushes nothing when nothing is to be sent', async (workbench) => {
    const [a] = await pair(workbench);
    expect(a.flush()).toBe(0);
    expect(a.stats.datagramsOut).toBe(0);
  });

  test('counts zero-length datagrams between others and does not end the drain at one', async (workbench) => {
    const [a, b] = await pair(workbench);
    const lengths = [3, 0, 0, 7, 0];
    await workbench.sendAll(
      a,
      b.localAddress,
      lengths.map((length) => pattern(length)),
    );
    const list = await workbench.collect(b, lengths.length);
    expect(list.map(({ bytes }) => bytes.length)).toEqual(lengths);
  });

  test('keeps the order of 600 datagrams over many batches, none lost, none doubled', async (workbench) => {
    const [a, b] = await pair(workbench, { rxSlots: 16, txSlots: 16 });
    const numbers: number[] = [];
    // 50 at a time: a default receive buffer holds at least that many, so the kernel has no reason to drop.
    for (let start = 0; start < 600; start += 50) {
      await workbench.sendAll(
        a,
        b.localAddress,
        upTo(50).map((index) => numbered(start + index, 4 + ((start + index) % 300))),
      );
      numbers.push(...numbersOf(await workbench.collect(b, 50)));
    }
    expect(numbers).toEqual(upTo(600));
    expect(a.stats.datagramsOut).toBe(600);
    expect(b.stats.datagramsIn).toBe(600);
  });

  test('never brings more datagrams than the batch has slots', async (workbench) => {
    const [a, b] = await pair(workbench, { rxSlots: 4, txSlots: 32 });
    await workbench.sendAll(
      a,
      b.localAddress,
      upTo(30).map((index) => numbered(index)),
    );
    await workbench.readable(b);
    const numbers: number[] = [];
    for (let round = 0; round < 1000 && numbers.length < 30; round++) {
      const count = b.receive();
      expect(count).toBe(b.rx.count);
      expect(count).toBeLessThanOrEqual(b.rx.slots);
      numbers.push(...numbersOf(copies(b)));
      if (count === 0) await workbench.readable(b);
    }
    expect(numbers).toEqual(upTo(30));
  });

  for (const gso of [true, false]) {
    test(`keeps datagrams apart that go to one peer in a row, with gso ${gso ? 'allowed' : 'off'}`, async (workbench) => {
      const [a, b] = await pair(workbench, { txSlots: 64, slotBytes: 1200, gso });
      // Equal sizes with a short last, then sizes that a careless join would glue: growing, zero, one.
      const sizes = [...Array.from({ length: 20 }, () => 300), 120, 400, 500, 0, 0, 1, 1, 1200, 1200, 1199];
      const sent = sizes.map((size, index) => pattern(size, index));
      await workbench.sendAll(a, b.localAddress, sent);
      const list = await workbench.collect(b, sizes.length);
      expect(list.map(({ bytes }) => bytes.length)).toEqual(sizes);
      expect(list.map(({ bytes }) => bytes)).toEqual(sent);
    });
  }

  test.unless(
    capabilities.gro ? null : `${capabilities.backend} does not join received datagrams here`,
    'gives datagrams one by one that the kernel joined (GRO)',
    async (workbench) => {
      const [a, b] = await pair(workbench, { txSlots: 64, rxSlots: 64, slotBytes: 1200, gro: true });
      const sent = upTo(40).map((index) => pattern(index === 39 ? 77 : 300, index));
      await workbench.sendAll(a, b.localAddress, sent);
      expect((await workbench.collect(b, 40)).map(({ bytes }) => bytes)).toEqual(sent);
      await workbench.sendAll(a, b.localAddress, [pattern(0), pattern(9)]);
      expect((await workbench.collect(b, 2)).map(({ bytes }) => bytes)).toEqual([pattern(0), pattern(9)]);
    },
  );

  test('sends to a different peer from each slot', async (workbench) => {
    const a = await workbench.openUdp({ txSlots: 32 });
    const peers = await Promise.all(upTo(16).map(() => workbench.openUdp()));
    for (const [index, peer] of peers.entries()) append(a, peer.localAddress, numbered(index));
    for (const [index, peer] of peers.entries()) append(a, peer.localAddress, numbered(100 + index));
    expect(a.flush()).toBe(32);
    for (const [index, peer] of peers.entries()) {
      expect(numbersOf(await workbench.collect(peer, 2))).toEqual([index, 100 + index]);
    }
  });

  test('sends from a moved offset, and the move ends with the flush', async (workbench) => {
    const [a, b] = await pair(workbench, { txSlots: 2 });
    append(a, b.localAddress, pattern(50));
    const home = a.tx.offset[0]!;
    expect(home).toBeGreaterThanOrEqual(HEADROOM_BYTES);
    const header = 25; // netcode's largest: prefix, eight sequence bytes, sixteen spare
    a.tx.arena.set(pattern(header, 9), home - header);
    a.tx.offset[0] = home - header;
    a.tx.length[0] = 50 + header;
    expect(a.flush()).toBe(1);
    const [first] = await workbench.collect(b, 1);
    expect(first!.bytes).toEqual(Uint8Array.of(...pattern(header, 9), ...pattern(50)));

    expect(a.tx.offset[0]).toBe(home);
    append(a, b.localAddress, pattern(50, 3));
    expect(a.flush()).toBe(1);
    expect((await workbench.collect(b, 1))[0]!.bytes).toEqual(pattern(50, 3));
  });

  test('takes the bytes at flush: what is written into the slots afterwards does not change them', async (workbench) => {
    const [a, b] = await pair(workbench, { txSlots: 8 });
    for (const index of upTo(8)) append(a, b.localAddress, pattern(200, index));
    expect(a.flush()).toBe(8);
    a.tx.arena.fill(0xee);
    const list = await workbench.collect(b, 8);
    expect(list.map(({ bytes }) => bytes)).toEqual(upTo(8).map((index) => pattern(200, index)));
  });

  test('keeps what two sockets received apart, each with its own source', async (workbench) => {
    const [a, b] = await pair(workbench);
    const outside = await workbench.openOutside();
    await outside.send(a.localAddress, pattern(10, 1));
    await outside.send(b.localAddress, pattern(20, 2));
    await workbench.sendAll(a, b.localAddress, [pattern(30, 3)]);
    const atB = await workbench.collect(b, 2);
    const atA = await workbench.collect(a, 1);
    expect(atA.map(({ bytes }) => bytes)).toEqual([pattern(10, 1)]);
    expect(new Set(atB.map(({ bytes }) => bytes.length))).toEqual(new Set([20, 30]));
    expect(atB.find(({ bytes }) => bytes.length === 30)!.from).toEqual(a.localAddress);
  });

  test('has no columns that were not asked for', async (workbench) => {
    const [, b] = await pair(workbench);
    expect(b.rx.receivedAt).toBeNull();
    expect(b.rx.localAddress).toBeNull();
  });

  test.unless(
    capabilities.receivedAt ? null : `${capabilities.backend} has no receive timestamps`,
    'says when each datagram was taken in, on its own clock',
    async (workbench) => {
      const [a, b] = await pair(workbench, { columns: { receivedAt: true } });
      const before = workbench.sys.clock.now();
      await workbench.sendAll(a, b.localAddress, [pattern(10)]);
      await workbench.readable(b);
      await workbench.backend.elapse(5000);
      expect(b.receive()).toBe(1);
      const after = workbench.sys.clock.now();
      const receivedAt = b.rx.receivedAt![0]!;
      // A kernel stamps in calendar time: translated, it may be off by what the two clocks were read apart.
      const slackMicros = 1000;
      expect(receivedAt).toBeGreaterThanOrEqual(before - slackMicros);
      expect(receivedAt).toBeLessThanOrEqual(after - 5000 + slackMicros);
    },
  );

  test.unless(
    capabilities.localAddress ? null : `${capabilities.backend} does not tell local addresses`,
    'says to which local address each datagram was sent',
    async (workbench) => {
      const b = await workbench.openUdp({ columns: { localAddress: true } }, '0.0.0.0');
      const target = addressOf(factory.ipv4, portOf(b.localAddress))!;
      const outside = await workbench.openOutside();
      await outside.send(target, pattern(10));
      await workbench.readable(b);
      expect(b.receive()).toBe(1);
      expect(b.rx.localAddress!.slice(0, ADDRESS_BYTES)).toEqual(target);
    },
  );

  test('counts datagrams, bytes and system calls of both directions', async (workbench) => {
    const [a, b] = await pair(workbench);
    await workbench.sendAll(a, b.localAddress, [pattern(10), pattern(0), pattern(90)]);
    await workbench.collect(b, 3);
    await workbench.breathe();
    expect(a.stats).toMatchObject({ datagramsOut: 3, bytesOut: 100, datagramsIn: 0, bytesIn: 0 });
    expect(b.stats).toMatchObject({ datagramsIn: 3, bytesIn: 100, datagramsOut: 0, bytesOut: 0 });
    for (const { stats } of [a, b]) {
      expect(stats).toMatchObject({ refused: 0, tooLarge: 0, sendBlocked: 0, sendFailed: 0, truncated: 0 });
    }
    expect(a.stats.syscalls).toBeGreaterThan(0);
  });

  test('stays silent when nothing was sent to it', async (workbench) => {
    const [a, b] = await pair(workbench);
    const bystander = await workbench.openUdp();
    await workbench.sendAll(a, b.localAddress, [pattern(10)]);
    expect(await workbench.collect(bystander, 1, SILENCE_MICROS)).toEqual([]);
  });
}

async function pair(
  workbench: Workbench,
  options: Parameters<Workbench['openUdp']>[0] = {},
): Promise<[DatagramSocket, DatagramSocket]> {
  return [await workbench.openUdp(options), await workbench.openUdp(options)];
}
