/** What a poller reports: level, edge, one-shot, both directions, many sockets. */

import { expect } from 'vitest';
import type { DatagramSocket, Poller } from '../../sys/api.ts';
import { EDGE, ONESHOT, READABLE, WRITABLE } from '../../sys/api.ts';
import type { Workbench, WorkbenchTest } from './workbench.ts';
import { numbered, pattern, SILENCE_MICROS, upTo } from './workbench.ts';

const KEY = 7;

export function readinessTests(test: WorkbenchTest): void {
  test('reports a socket with its key when a datagram arrives', async (workbench) => {
    const { poller, arrive } = await watched(workbench, READABLE);
    await arrive();
    expect(await workbench.settle(poller)).toBe(1);
    expect(reports(poller, 1)).toEqual([[KEY, READABLE]]);
  });

  test('reports a datagram that arrived before the socket was added', async (workbench) => {
    for (const mode of [0, EDGE, ONESHOT]) {
      const [a, b] = [await workbench.openUdp(), await workbench.openUdp()];
      await workbench.sendAll(a, b.localAddress, [pattern(1)]);
      await workbench.readable(b);
      const poller = workbench.openPoller();
      poller.add(b, KEY, READABLE | mode);
      expect(await workbench.settle(poller)).toBe(1);
      expect(reports(poller, 1)).toEqual([[KEY, READABLE]]);
    }
  });

  test('says nothing while nothing happens', async (workbench) => {
    const { poller } = await watched(workbench, READABLE);
    expect(poller.wait(0)).toBe(0);
    expect(await workbench.settle(poller, SILENCE_MICROS)).toBe(0);
  });

  test('level: reports again and again until the socket is drained', async (workbench) => {
    const { poller, socket, arrive } = await watched(workbench, READABLE);
    await arrive();
    for (const _ of upTo(3)) expect(await workbench.settle(poller)).toBe(1);
    while (socket.receive() > 0);
    expect(await workbench.settle(poller, SILENCE_MICROS)).toBe(0);
  });

  test('edge: reports once, and again for the next datagram', async (workbench) => {
    const { poller, socket, arrive } = await watched(workbench, READABLE | EDGE);
    await arrive();
    expect(await workbench.settle(poller)).toBe(1);
    expect(await workbench.settle(poller, SILENCE_MICROS)).toBe(0);
    while (socket.receive() > 0);
    await arrive();
    expect(await workbench.settle(poller)).toBe(1);
    expect(socket.receive()).toBe(1);
  });

  test('edge: reports the next datagram also when the one before was left lying', async (workbench) => {
    const { poller, arrive } = await watched(workbench, READABLE | EDGE);
    await arrive();
    expect(await workbench.settle(poller)).toBe(1);
    await arrive();
    expect(await workbench.settle(poller)).toBe(1);
  });

  test('one-shot: reports once and is silent, also for new datagrams, until modified', async (workbench) => {
    const { poller, socket, arrive } = await watched(workbench, READABLE | ONESHOT);
    await arrive();
    expect(await workbench.settle(poller)).toBe(1);
    await arrive();
    expect(await workbench.settle(poller, SILENCE_MICROS)).toBe(0);
    poller.modify(socket, KEY, READABLE | ONESHOT);
    expect(await workbench.settle(poller)).toBe(1);
    expect(reports(poller, 1)).toEqual([[KEY, READABLE]]);
    expect(await workbench.settle(poller, SILENCE_MICROS)).toBe(0);
  });

  test('reports a fresh socket as writable, level: each time', async (workbench) => {
    const { poller } = await watched(workbench, WRITABLE);
    for (const _ of upTo(3)) {
      expect(await workbench.settle(poller)).toBe(1);
      expect(reports(poller, 1)).toEqual([[KEY, WRITABLE]]);
    }
  });

  test('reports a fresh socket as writable, edge and one-shot: once', async (workbench) => {
    for (const mode of [EDGE, ONESHOT]) {
      const { poller } = await watched(workbench, WRITABLE | mode);
      expect(await workbench.settle(poller)).toBe(1);
      expect(await workbench.settle(poller, SILENCE_MICROS)).toBe(0);
    }
  });

  test('reports only the directions asked for, and both at once in one entry', async (workbench) => {
    const { poller, socket, arrive } = await watched(workbench, WRITABLE);
    await arrive();
    await workbench.readable(socket);
    expect(await workbench.settle(poller)).toBe(1);
    expect(reports(poller, 1)).toEqual([[KEY, WRITABLE]]);
    poller.modify(socket, KEY, READABLE | WRITABLE);
    expect(await workbench.settle(poller)).toBe(1);
    expect(reports(poller, 1)).toEqual([[KEY, READABLE | WRITABLE]]);
  });

  test('keeps a socket with interest 0 silent until it is asked again', async (workbench) => {
    const { poller, socket, arrive } = await watched(workbench, 0);
    await arrive();
    expect(await workbench.settle(poller, SILENCE_MICROS)).toBe(0);
    poller.modify(socket, KEY, READABLE);
    expect(await workbench.settle(poller)).toBe(1);
  });

  test('a wake-up whose datagrams are already gone brings 0 and harms nothing', async (workbench) => {
    for (const mode of [0, EDGE]) {
      const { poller, socket, arrive } = await watched(workbench, READABLE | mode);
      await arrive();
      await workbench.readable(socket);
      while (socket.receive() > 0);
      await workbench.settle(poller, SILENCE_MICROS); // may be spurious, or silent
      expect(socket.receive()).toBe(0);
      await arrive();
      expect(await workbench.settle(poller)).toBe(1);
      expect(socket.receive()).toBe(1);
    }
  });

  test('carries the smallest and the largest key', async (workbench) => {
    const poller = workbench.openPoller();
    for (const key of [0, 2 ** 31 - 1]) poller.add(await workbench.openUdp(), key, WRITABLE | ONESHOT);
    const seen: number[] = [];
    while (seen.length < 2) {
      const count = await workbench.settle(poller);
      expect(count).toBeGreaterThan(0);
      seen.push(...reports(poller, count).map(([key]) => key));
    }
    expect(seen.sort((a, b) => a - b)).toEqual([0, 2 ** 31 - 1]);
  });

  test('serves 200 sockets: each is reported under its own key, none twice after its drain', async (workbench) => {
    const poller = workbench.openPoller();
    const sender = await workbench.openUdp();
    const sockets = new Map<number, DatagramSocket>();
    for (const index of upTo(200)) {
      const socket = await workbench.openUdp({ rxSlots: 4, txSlots: 4 });
      sockets.set(1000 + index, socket);
      poller.add(socket, 1000 + index, READABLE);
      await workbench.sendAll(sender, socket.localAddress, [numbered(index)]);
    }
    const seen: number[] = [];
    for (let round = 0; round < 400 && seen.length < 200; round++) {
      const count = await workbench.settle(poller);
      for (const [key, flags] of reports(poller, count)) {
        expect(flags).toBe(READABLE);
        const socket = sockets.get(key)!;
        expect(socket.receive()).toBe(1);
        expect(socket.rx.view.getUint32(socket.rx.offset[0]!, true)).toBe(key - 1000);
        seen.push(key);
      }
    }
    expect(seen.sort((a, b) => a - b)).toEqual([...sockets.keys()]);
    expect(await workbench.settle(poller, SILENCE_MICROS)).toBe(0);
  });

  test('starves none of 200 sockets that are ready all the time', async (workbench) => {
    const poller = workbench.openPoller();
    for (const index of upTo(200)) {
      poller.add(await workbench.openUdp({ rxSlots: 4, txSlots: 4 }), index, WRITABLE);
    }
    const seen = new Set<number>();
    for (let round = 0; round < 50 && seen.size < 200; round++) {
      for (const [key] of reports(poller, await workbench.settle(poller))) seen.add(key);
    }
    expect(seen.size).toBe(200);
  });

  test('lets two pollers watch different sockets without hearing of each other', async (workbench) => {
    const one = await watched(workbench, READABLE);
    const two = await watched(workbench, READABLE);
    await one.arrive();
    expect(await workbench.settle(one.poller)).toBe(1);
    expect(await workbench.settle(two.poller, SILENCE_MICROS)).toBe(0);
  });
}

/** A socket under `KEY` in a poller of its own, and a peer that sends to it. */
export async function watched(
  workbench: Workbench,
  interest: number,
): Promise<{ poller: Poller; socket: DatagramSocket; arrive: (bytes?: Uint8Array) => Promise<void> }> {
  const socket = await workbench.openUdp();
  const peer = await workbench.openUdp();
  const poller = workbench.openPoller();
  poller.add(socket, KEY, interest);
  return {
    poller,
    socket,
    arrive: (bytes = pattern(4)) => workbench.sendAll(peer, socket.localAddress, [bytes]),
  };
}

/** The last wait's entries as [key, flags]. */
export function reports(poller: Poller, count: number): [number, number][] {
  return upTo(count).map((index) => [poller.keys[index]!, poller.flags[index]!]);
}
