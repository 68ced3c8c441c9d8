/** What sockets cost in memory: nothing per datagram, and nothing that stays when they are gone. */

import { readdirSync, readFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { addressOf, NEVER, READABLE, type Sys } from '../../../sys/api.ts';
import { NativeArena } from '../../../sys/ffi/arena.ts';
import { library } from '../../../sys/ffi/library.ts';
import { openSys } from '../../../sys/index.ts';
import { collectGarbage, heapBytesOf } from '../collect-garbage.ts';
import { append } from './sockets.ts';

const native = process.platform === 'linux' && library() !== null;
const BATCH = 50;
const DATAGRAMS = 100_000;
/** Measured: 8 rounds until all is compiled, on a busy machine. */
const ROUNDS_MAX = 40;
/** 25 bytes for one wait, flush and receive of 50; a boxed number a datagram would be 16. */
const BYTES_A_DATAGRAM = 0.5;

describe.skipIf(!native)(`memory${native ? '' : ' (needs koffi on Linux)'}`, () => {
  let sys: Sys;
  beforeEach(() => {
    sys = openSys({ backend: 'udp' });
  });
  afterEach(() => sys.close());

  it.each([
    ['plain', {}],
    ['joined and cut again', { gro: true }],
    ['with every column', { columns: { receivedAt: true, localAddress: true } }],
  ])('is not used up by 100,000 datagrams sent, waited for and received (%s)', async (_name, options) => {
    const sender = await sys.openUdp(addressOf('127.0.0.1', 0)!);
    const receiver = await sys.openUdp(addressOf('127.0.0.1', 0)!, { receiveBufferBytes: 1 << 20, ...options });
    const poller = sys.openPoller();
    poller.add(receiver, 1, READABLE);
    for (let i = 0; i < BATCH; i++) append(sender, receiver.localAddress, 100, i);
    let received = 0;
    const exchange = (datagrams: number): void => {
      for (let sent = 0; sent < datagrams; sent += BATCH) {
        // The slots still hold what was sent last time: only the count has gone down.
        sender.tx.count = BATCH;
        sender.flush();
        if (poller.wait(NEVER) === 1) for (let n = receiver.receive(); n > 0; n = receiver.receive()) received += n;
      }
    };
    // Until the optimizing compiler has settled, it and the code before it leave bytes too. What each datagram leaves
    // would be there in every round.
    let rounds = 0;
    let least = Number.POSITIVE_INFINITY;
    while (rounds < ROUNDS_MAX && least >= BYTES_A_DATAGRAM) {
      least = Math.min(least, heapBytesOf(() => exchange(DATAGRAMS)) / DATAGRAMS);
      rounds++;
    }
    expect(received).toBe(DATAGRAMS * rounds);
    expect(least).toBeLessThan(BYTES_A_DATAGRAM);
    sender.close();
    receiver.close();
    poller.close();
  });

  it('to receive into is shared by sockets of one kind, and not by others', async () => {
    const any = addressOf('127.0.0.1', 0)!;
    const open = async (options = {}) => {
      const socket = await sys.openUdp(any, options);
      socket.close();
      return socket.rx;
    };
    const usual = await open();
    expect((await open()) === usual).toBe(true);
    expect((await open({ txSlots: 8, gso: false, receiveBufferBytes: 65_536 })) === usual).toBe(true);
    expect((await open({ rxSlots: 8 })) === usual).toBe(false);
    expect((await open({ slotBytes: 1500 })) === usual).toBe(false);
    expect((await open({ gro: true })) === usual).toBe(false);
    expect((await open({ columns: { receivedAt: true } })) === usual).toBe(false);
    expect((await open({ columns: { localAddress: true } })) === usual).toBe(false);
  });

  it('to send from is native and a socket has its own', async () => {
    const a = await sys.openUdp(addressOf('127.0.0.1', 0)!);
    const b = await sys.openUdp(addressOf('127.0.0.1', 0)!);
    expect(a.tx.arena === b.tx.arena).toBe(false);
    for (const batch of [a.tx, a.rx, b.tx]) {
      expect(batch.arenaAddress).toBeGreaterThan(0);
      batch.arena[3] = 99;
      expect(new Uint8Array(library()!.view(batch.arenaAddress, 8))[3]).toBe(99);
    }
    a.close();
    b.close();
  });

  it('goes back to the system when nobody holds an arena or a view of it any more', async () => {
    const pages = (): number => Number(readFileSync('/proc/self/statm', 'utf8').split(' ')[0]);
    const before = pages();
    const view = ((): Uint8Array => {
      const held = Array.from({ length: 64 }, () => NativeArena.map(1 << 20));
      expect(pages() - before).toBeGreaterThanOrEqual(64 * 256);
      return held[0]!.bytes.subarray(8, 16);
    })();
    for (let round = 0; round < 50 && pages() - before > 16 * 256; round++) {
      collectGarbage();
      await new Promise((resolve) => setImmediate(resolve)); // finalizers run between turns
    }
    expect(pages() - before).toBeLessThanOrEqual(16 * 256);
    view[0] = 7; // its arena is still there
    expect(view[0]).toBe(7);
  });

  it('and descriptors are given back by 300 sockets and pollers that were closed', async () => {
    const open = (): number => readdirSync('/proc/self/fd').length;
    const before = open();
    for (let i = 0; i < 300; i++) {
      const socket = await sys.openUdp(addressOf('127.0.0.1', 0)!, { rxSlots: 8, txSlots: 8 });
      const poller = sys.openPoller();
      poller.add(socket, i, READABLE);
      poller.notifier().notify();
      socket.close();
      poller.close();
    }
    expect(open()).toBe(before);
  });
});
