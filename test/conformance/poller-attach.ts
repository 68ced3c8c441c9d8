/** A poller as a guest in Node's loop. */

import { expect } from 'vitest';
import { EDGE, NEVER, READABLE } from '../../sys/api.ts';
import { reports, watched } from './poller-readiness.ts';
import { until, wakeTimes } from './poller-timeouts.ts';
import type { WorkbenchTest } from './workbench.ts';
import { numbered, SILENCE_MICROS, upTo } from './workbench.ts';

export function attachTests(every: WorkbenchTest): void {
  const test = every.attached;
  test('calls wake when a datagram arrives, and wait(0) says who', async (workbench) => {
    for (const mode of [0, EDGE]) {
      const { poller, socket, arrive } = await watched(workbench, READABLE | mode);
      const seen: [number, number][] = [];
      poller.attach(() => {
        seen.push(...reports(poller, poller.wait(0)));
        while (socket.receive() > 0);
      });
      for (const round of upTo(3)) {
        await arrive();
        await until(workbench, () => seen.length > round);
        expect(seen).toHaveLength(round + 1);
      }
      expect(seen[0]).toEqual([7, READABLE]);
      poller.detach();
    }
  });

  test('calls wake for what was ready before it was attached', async (workbench) => {
    for (const mode of [0, EDGE]) {
      const { poller, socket, arrive } = await watched(workbench, READABLE | mode);
      await arrive();
      await workbench.readable(socket);
      const wakes = wakeTimes(workbench, poller);
      await until(workbench, () => wakes.length > 0);
      expect(wakes.length).toBeGreaterThan(0);
      poller.detach();
    }
  });

  test('level: calls wake again while a socket is not drained', async (workbench) => {
    const { poller, socket, arrive } = await watched(workbench, READABLE);
    let wakes = 0;
    poller.attach(() => {
      poller.wait(0);
      if (++wakes === 3) while (socket.receive() > 0);
    });
    await arrive();
    await until(workbench, () => wakes >= 3);
    await workbench.backend.elapse(SILENCE_MICROS);
    expect(wakes).toBeGreaterThanOrEqual(3);
    expect(wakes).toBeLessThanOrEqual(5); // the third drained; one or two may be spurious
    poller.detach();
  });

  test('is silent while nothing happens', async (workbench) => {
    const { poller } = await watched(workbench, READABLE);
    const wakes = wakeTimes(workbench, poller);
    await workbench.backend.elapse(SILENCE_MICROS);
    expect(wakes.length).toBeLessThanOrEqual(1);
    poller.detach();
  });

  test('is silent after detach and after close, also with datagrams and a deadline at hand', async (workbench) => {
    for (const end of ['detach', 'close'] as const) {
      const { poller, arrive } = await watched(workbench, READABLE);
      const wakes = wakeTimes(workbench, poller);
      poller.arm(workbench.sys.clock.now() + 5000);
      await arrive();
      poller[end]();
      const before = wakes.length;
      await workbench.backend.elapse(SILENCE_MICROS);
      expect(wakes.length).toBe(before);
    }
  });

  test('is attached again after a detach, with another wake', async (workbench) => {
    const { poller, socket, arrive } = await watched(workbench, READABLE);
    const first = wakeTimes(workbench, poller);
    poller.detach();
    const before = first.length;
    let wakes = 0;
    poller.attach(() => {
      wakes++;
      poller.wait(0);
      while (socket.receive() > 0);
    });
    await arrive();
    await until(workbench, () => wakes > 0);
    expect(wakes).toBeGreaterThan(0);
    expect(first.length).toBe(before);
    poller.detach();
  });

  test('detaches in its own wake-up', async (workbench) => {
    const { poller, arrive } = await watched(workbench, READABLE);
    let wakes = 0;
    poller.attach(() => {
      wakes++;
      poller.wait(0);
      poller.detach();
    });
    await arrive();
    await arrive();
    await workbench.backend.elapse(SILENCE_MICROS);
    expect(wakes).toBe(1);
  });

  // A connection whose peer spoke during the pause must not be timed out before it is heard.
  every.needing(
    ['cpu', 'attach'],
    'a deadline that passed while the process paused does not come before what arrived meanwhile',
    async (workbench) => {
      const { poller, arrive } = await watched(workbench, READABLE);
      const { clock } = workbench.sys;
      const first: [number, number][][] = [];
      poller.attach(() => void first.push(reports(poller, poller.wait(0))));
      await workbench.backend.elapse(SILENCE_MICROS);
      first.length = 0;
      poller.arm(clock.now() + 5000);
      const sent = arrive();
      for (const end = clock.now() + 20_000; clock.now() < end; ); // the pause: Node's loop does not turn
      await sent;
      await until(workbench, () => first.length > 0);
      expect(first[0]).toEqual([[7, READABLE]]);
      poller.detach();
    },
  );

  test('waits by hand again after a detach', async (workbench) => {
    const { poller, socket, arrive } = await watched(workbench, READABLE);
    wakeTimes(workbench, poller);
    poller.arm(workbench.sys.clock.now() + 1000);
    poller.arm(NEVER);
    poller.detach();
    await arrive();
    expect(await workbench.settle(poller)).toBe(1);
    expect(socket.receive()).toBe(1);
    expect(await workbench.settle(poller, SILENCE_MICROS)).toBe(0);
  });

  test('echoes 300 datagrams from within its wake-ups, in order', async (workbench) => {
    const { poller, socket } = await watched(workbench, READABLE);
    const outside = await workbench.openOutside();
    poller.attach(() => {
      poller.wait(0);
      while (socket.receive() > 0) {
        const { rx, tx } = socket;
        for (let slot = 0; slot < rx.count; slot++) {
          if (tx.full) socket.flush();
          const start = rx.offset[slot]!;
          tx.arena.set(rx.arena.subarray(start, start + rx.length[slot]!), tx.offset[tx.count]!);
          tx.length[tx.count] = rx.length[slot]!;
          tx.address.set(rx.address.subarray(slot * 24, slot * 24 + 24), tx.count * 24);
          tx.count++;
        }
        socket.flush();
      }
    });
    for (let start = 0; start < 300; start += 30) {
      for (const index of upTo(30)) await outside.send(socket.localAddress, numbered(start + index));
      for (const index of upTo(30)) {
        if (index === 0) await workbench.backend.elapse(1000);
        const { bytes } = await outside.receive();
        expect(new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true)).toBe(start + index);
      }
    }
    poller.detach();
  });
}
