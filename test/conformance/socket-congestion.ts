/** A kernel that takes no more datagrams: what it did not take stays, in order, and nobody spins meanwhile. */

import { readFileSync } from 'node:fs';
import { expect } from 'vitest';
import type { DatagramSocket } from '../../sys/api.ts';
import { addressOf, EDGE, formatHost, ONESHOT, READABLE, WRITABLE } from '../../sys/api.ts';
import { append } from './outside.ts';
import type { WorkbenchTest } from './workbench.ts';
import { numbered, numbersOf, PATIENCE_MICROS, SILENCE_MICROS, upTo } from './workbench.ts';

/** Flushes that fill every blocked way out here. */
const FLUSHES_MAX = 200;
/** Few and small enough that an unprivileged receive buffer (416 KiB with the kernel's overhead) holds all of them. */
const TX_SLOTS = 32;
const CPU_SHARE_MAX = 0.01;
/** Spans that are looked at until one is calm, and how long each is: V8 compiles or collects for 10 ms and more about once a second. */
const SPANS_MAX = 20;
const SPAN_MICROS = 300_000;
const SIZE_BYTES = 600;

export function congestionTests(test: WorkbenchTest): void {
  for (const gso of [true, false]) {
    test.needing(
      ['congestion'],
      `keeps what was not taken in order and loses nothing, with gso ${gso ? 'allowed' : 'off'}`,
      async (workbench) => {
        const way = await workbench.congest({ txSlots: TX_SLOTS, sendBufferBytes: 8192, gso });
        let next = 0;
        let taken = 0;
        for (let round = 0; round < FLUSHES_MAX && way.socket.tx.count < TX_SLOTS; round++) {
          while (!way.socket.tx.full) append(way.socket, way.receiver.localAddress, numbered(next++, SIZE_BYTES));
          const before = way.socket.tx.count;
          const left = way.socket.flush();
          expect(way.socket.tx.count).toBe(before - left);
          taken += left;
        }
        expect(way.socket.tx.count).toBe(TX_SLOTS);
        expect(firstNumbers(way.socket)).toEqual(upTo(TX_SLOTS).map((index) => taken + index));
        expect(way.socket.stats.sendBlocked).toBeGreaterThan(0);
        expect(way.socket.stats.datagramsOut).toBe(taken);

        await way.release();
        await workbench.sendAll(way.socket, way.receiver.localAddress, []);
        expect(numbersOf(await workbench.collect(way.receiver, next))).toEqual(upTo(next));
        expect(way.socket.stats.datagramsOut).toBe(next);
      },
    );
  }

  test.needing(['congestion'], 'keeps the address of each datagram that waits', async (workbench) => {
    const way = await workbench.congest({ txSlots: TX_SLOTS, sendBufferBytes: 8192 });
    const nobody = addressOf(formatHost(way.receiver.localAddress), 9)!;
    // Most go nowhere, in no rhythm: an address that slipped to another slot would bring a wrong number, or none.
    const forReceiver = (number: number) => [1, 2, 4, 7, 11].includes(number % 13);
    const appended = fill(way.socket, (number) => (forReceiver(number) ? way.receiver.localAddress : nobody));
    await way.release();
    await workbench.sendAll(way.socket, nobody, []);
    const wanted = upTo(appended).filter(forReceiver);
    expect(numbersOf(await workbench.collect(way.receiver, wanted.length))).toEqual(wanted);
  });

  for (const [mode, interest] of [
    ['level', WRITABLE],
    ['edge', WRITABLE | EDGE],
    ['one-shot', WRITABLE | ONESHOT],
  ] as const) {
    test.needing(['congestion'], `wakes for writable when there is room again (${mode})`, async (workbench) => {
      const way = await workbench.congest({ txSlots: TX_SLOTS, sendBufferBytes: 8192 });
      fill(way.socket, () => way.receiver.localAddress);
      const poller = workbench.openPoller();
      poller.add(way.socket, 5, interest);
      expect(await workbench.settle(poller, SILENCE_MICROS)).toBe(0);
      await way.release();
      expect(await workbench.settle(poller, 5 * PATIENCE_MICROS)).toBe(1);
      expect([poller.keys[0], poller.flags[0]]).toEqual([5, WRITABLE]);
      expect(way.socket.flush()).toBeGreaterThan(0);
    });
  }

  test.needing(['congestion'], 'receives while its way out is blocked', async (workbench) => {
    const way = await workbench.congest({ txSlots: TX_SLOTS, sendBufferBytes: 8192 });
    fill(way.socket, () => way.receiver.localAddress);
    const poller = workbench.openPoller();
    poller.add(way.socket, 5, WRITABLE | READABLE);
    expect(await workbench.settle(poller, SILENCE_MICROS)).toBe(0);
    expect(way.socket.receive()).toBe(0);
  });

  test.needing(
    ['congestion', 'cpu'],
    'uses less than 1 % of a CPU while it waits for a blocked way out',
    async (workbench) => {
      const way = await workbench.congest({ txSlots: TX_SLOTS, sendBufferBytes: 8192 });
      fill(way.socket, () => way.receiver.localAddress);
      const poller = workbench.openPoller();
      poller.add(way.socket, 5, WRITABLE);
      await workbench.settle(poller, SILENCE_MICROS); // compiles what is about to be measured
      const { clock } = workbench.sys;
      // V8 works now and then in this thread too: of some spans the calmest is the poller's own.
      let share = 1;
      for (let span = 0; span < SPANS_MAX && share >= CPU_SHARE_MAX; span++) {
        const start = clock.now();
        const before = threadMicros();
        let wakes = 0;
        for (let left = SPAN_MICROS; left > 0; left = start + SPAN_MICROS - clock.now()) {
          await workbench.settle(poller, left);
          wakes++;
        }
        share = (threadMicros() - before) / (clock.now() - start);
        expect(wakes).toBeLessThan(20);
      }
      expect(share).toBeLessThan(CPU_SHARE_MAX);
    },
  );
}

/** CPU microseconds of this thread; where the system does not tell, of this process with all that V8 does in it. */
function threadMicros(): number {
  try {
    // proc(5): nanoseconds on a CPU, nanoseconds of waiting for one, slices
    return Number(readFileSync('/proc/thread-self/schedstat', 'utf8').split(' ')[0]) / 1000;
  } catch {
    const { user, system } = process.cpuUsage();
    return user + system;
  }
}

/** Appends numbered datagrams and flushes until the kernel takes nothing more and `tx` is full; returns how many. */
function fill(socket: DatagramSocket, addressOfNumber: (number: number) => Uint8Array): number {
  let next = 0;
  for (let round = 0; round < FLUSHES_MAX; round++) {
    while (!socket.tx.full) append(socket, addressOfNumber(next), numbered(next++, SIZE_BYTES));
    if (socket.flush() === 0) return next;
  }
  throw new Error('the way out never filled up');
}

function firstNumbers(socket: DatagramSocket): number[] {
  const { tx } = socket;
  return upTo(tx.count).map((slot) => tx.view.getUint32(tx.offset[slot]!, true));
}
