/** Closing, removing and modifying while events are at hand: in the loop over them, and while a wait is on. */

import { expect } from 'vitest';
import type { DatagramSocket } from '../../sys/api.ts';
import { EDGE, ONESHOT, READABLE, WRITABLE } from '../../sys/api.ts';
import { reports, watched } from './poller-readiness.ts';
import type { Workbench, WorkbenchTest } from './workbench.ts';
import { pattern, SILENCE_MICROS, upTo } from './workbench.ts';

export function changeTests(test: WorkbenchTest): void {
  test('modify reports what is already there, also under edge', async (workbench) => {
    for (const mode of [0, EDGE, ONESHOT]) {
      const { poller, socket, arrive } = await watched(workbench, READABLE | mode);
      await arrive();
      expect(await workbench.settle(poller)).toBe(1);
      poller.modify(socket, 7, READABLE | mode);
      expect(await workbench.settle(poller)).toBe(1);
      expect(reports(poller, 1)).toEqual([[7, READABLE]]);
    }
  });

  test('modify changes the key', async (workbench) => {
    const { poller, socket, arrive } = await watched(workbench, READABLE);
    poller.modify(socket, 99, READABLE);
    await arrive();
    expect(await workbench.settle(poller)).toBe(1);
    expect(reports(poller, 1)).toEqual([[99, READABLE]]);
  });

  test('modify takes an interest away that was about to be reported', async (workbench) => {
    const { poller, socket, arrive } = await watched(workbench, READABLE);
    await arrive();
    await workbench.readable(socket);
    poller.modify(socket, 7, 0);
    expect(await workbench.settle(poller, SILENCE_MICROS)).toBe(0);
  });

  test('remove silences a socket, and it can be added again under another key', async (workbench) => {
    const { poller, socket, arrive } = await watched(workbench, READABLE);
    await arrive();
    poller.remove(socket);
    expect(await workbench.settle(poller, SILENCE_MICROS)).toBe(0);
    poller.add(socket, 42, READABLE);
    expect(await workbench.settle(poller)).toBe(1);
    expect(reports(poller, 1)).toEqual([[42, READABLE]]);
  });

  test('a removed socket can go to another poller', async (workbench) => {
    const { poller, socket, arrive } = await watched(workbench, READABLE);
    const other = workbench.openPoller();
    poller.remove(socket);
    other.add(socket, 3, READABLE);
    await arrive();
    expect(await workbench.settle(other)).toBe(1);
    expect(await workbench.settle(poller, SILENCE_MICROS)).toBe(0);
  });

  test('close silences a socket that is ready', async (workbench) => {
    for (const mode of [0, EDGE, ONESHOT]) {
      const { poller, socket, arrive } = await watched(workbench, READABLE | mode);
      await arrive();
      await workbench.readable(socket);
      socket.close();
      expect(await workbench.settle(poller, SILENCE_MICROS)).toBe(0);
    }
  });

  test('close silences a socket that is writable', async (workbench) => {
    const { poller, socket } = await watched(workbench, WRITABLE);
    expect(await workbench.settle(poller)).toBe(1);
    socket.close();
    expect(await workbench.settle(poller, SILENCE_MICROS)).toBe(0);
  });

  test('remove after close, and a second remove, do nothing', async (workbench) => {
    const { poller, socket } = await watched(workbench, READABLE);
    socket.close();
    poller.remove(socket);
    poller.remove(socket);
    expect(await workbench.settle(poller, SILENCE_MICROS)).toBe(0);
  });

  test('a socket closed in the loop over events brings 0, and its neighbours go on', async (workbench) => {
    const poller = workbench.openPoller();
    const sockets = await readyTogether(workbench, 10);
    for (const [key, socket] of sockets.entries()) poller.add(socket, key, READABLE);
    const received = new Set<number>();
    for (let round = 0; round < 20 && received.size < 5; round++) {
      for (const [key] of reports(poller, await workbench.settle(poller))) {
        // Each closes its neighbour, whose event may lie further on in the same batch, or before.
        sockets[key ^ 1]!.close();
        if (sockets[key]!.receive() > 0) received.add(key);
      }
    }
    expect(received.size).toBe(5);
    for (const key of received) expect(received.has(key ^ 1)).toBe(false);
    expect(await workbench.settle(poller, SILENCE_MICROS)).toBe(0);
  });

  test.needing(
    ['reusedNumbers'],
    'a new socket takes the place of one that was closed in the loop over events',
    async (workbench) => {
      const poller = workbench.openPoller();
      const [first] = await readyTogether(workbench, 1);
      poller.add(first!, 1, READABLE);
      expect(await workbench.settle(poller)).toBe(1);
      first!.close();
      const second = await workbench.openUdp(); // may get the descriptor of the first
      poller.add(second, 2, READABLE);
      expect(await workbench.settle(poller, SILENCE_MICROS)).toBe(0);
      const outside = await workbench.openOutside();
      await outside.send(second.localAddress, pattern(3));
      expect(await workbench.settle(poller)).toBe(1);
      expect(reports(poller, 1)).toEqual([[2, READABLE]]);
    },
  );

  test('sockets are added, modified and removed in the loop over events', async (workbench) => {
    const poller = workbench.openPoller();
    const sockets = await readyTogether(workbench, 6);
    for (const key of [0, 1, 2]) poller.add(sockets[key]!, key, READABLE | ONESHOT);
    const seen = new Set<number>();
    for (let round = 0; round < 20 && seen.size < 6; round++) {
      for (const [key] of reports(poller, await workbench.settle(poller))) {
        seen.add(key);
        if (key < 3) poller.add(sockets[key + 3]!, key + 3, READABLE);
        else poller.remove(sockets[key]!);
      }
    }
    expect([...seen].sort()).toEqual(upTo(6));
    expect(await workbench.settle(poller, SILENCE_MICROS)).toBe(0);
  });

  test.attached('modify and add while an attached poller waits take effect in that wait', async (workbench) => {
    const { poller, socket, arrive } = await watched(workbench, 0);
    const late = await workbench.openUdp();
    const seen: [number, number][] = [];
    poller.attach(() => {
      seen.push(...reports(poller, poller.wait(0)));
      for (const [key] of seen) {
        if (key === 7) poller.modify(socket, 7, 0);
        else poller.remove(late);
      }
    });
    await arrive();
    await workbench.backend.elapse(SILENCE_MICROS);
    expect(seen).toEqual([]);
    poller.modify(socket, 7, READABLE);
    await workbench.backend.elapse(SILENCE_MICROS);
    expect(seen).toEqual([[7, READABLE]]);
    poller.add(late, 8, WRITABLE);
    await workbench.backend.elapse(SILENCE_MICROS);
    expect(seen).toEqual([
      [7, READABLE],
      [8, WRITABLE],
    ]);
    poller.detach();
  });

  test.attached('closing an attached socket in its own wake-up leaves the poller in order', async (workbench) => {
    const { poller, socket, arrive } = await watched(workbench, READABLE);
    const survivor = await watched(workbench, 0);
    poller.add(survivor.socket, 9, READABLE);
    const seen: number[] = [];
    poller.attach(() => {
      for (const [key] of reports(poller, poller.wait(0))) {
        seen.push(key);
        (key === 9 ? survivor.socket : socket).close();
      }
    });
    await arrive();
    await workbench.backend.elapse(SILENCE_MICROS);
    survivor.poller.remove(survivor.socket);
    await survivor.arrive();
    await workbench.backend.elapse(SILENCE_MICROS);
    expect(seen).toEqual([7, 9]);
    poller.detach();
  });
}

/** `count` sockets that each have one datagram waiting. */
async function readyTogether(workbench: Workbench, count: number): Promise<DatagramSocket[]> {
  const sender = await workbench.openUdp();
  const sockets: DatagramSocket[] = [];
  for (const _ of upTo(count)) {
    const socket = await workbench.openUdp();
    await workbench.sendAll(sender, socket.localAddress, [pattern(4)]);
    await workbench.readable(socket);
    sockets.push(socket);
  }
  return sockets;
}
