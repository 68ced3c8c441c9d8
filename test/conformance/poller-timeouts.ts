/** Time in a poller: neither early nor forgotten. */

import { expect } from 'vitest';
import { NEVER, READABLE } from '../../sys/api.ts';
import { watched } from './poller-readiness.ts';
import type { Workbench, WorkbenchTest } from './workbench.ts';
import { PATIENCE_MICROS } from './workbench.ts';

/** How late a wake-up may be before it counts as forgotten: this machine may be doing anything else. */
const FORGOTTEN_MICROS = 1_000_000;
/** Durations around the granularity of clocks, timers and ticks. */
const TIMEOUTS_MICROS = [1, 50, 300, 999, 1000, 1001, 1500, 4000, 16_667, 60_000];

export function timeoutTests(test: WorkbenchTest): void {
  test('returns 0 when the time is up, never early and never forgotten', async (workbench) => {
    const poller = workbench.openPoller();
    for (const timeout of TIMEOUTS_MICROS) {
      const { ready, elapsed } = await timed(workbench, () => workbench.settle(poller, timeout));
      expect(ready).toBe(0);
      expect(elapsed).toBeGreaterThanOrEqual(timeout);
      expect(elapsed).toBeLessThan(timeout + FORGOTTEN_MICROS);
    }
  });

  test('looks and returns at once with timeout 0', async (workbench) => {
    const { poller } = await watched(workbench, READABLE);
    for (let round = 0; round < 100; round++) expect(poller.wait(0)).toBe(0);
  });

  test('returns before its time when something is ready', async (workbench) => {
    const { poller, arrive } = await watched(workbench, READABLE);
    await arrive();
    const { ready, elapsed } = await timed(workbench, () => workbench.settle(poller, 10 * PATIENCE_MICROS));
    expect(ready).toBe(1);
    expect(elapsed).toBeLessThan(PATIENCE_MICROS);
  });

  test('waits without a limit with NEVER, until something is ready', async (workbench) => {
    const { poller, arrive } = await watched(workbench, READABLE);
    await arrive();
    expect(await workbench.settle(poller, NEVER)).toBe(1);
  });

  test('refuses a wait that it cannot do: other than 0 where only Node can wait', async (workbench) => {
    const poller = workbench.openPoller();
    if (poller.canBlock) expect(poller.wait(1)).toBe(0);
    else expect(() => poller.wait(1)).toThrow();
  });

  test.attached('armed: wakes at the deadline, never early and never forgotten', async (workbench) => {
    const poller = workbench.openPoller();
    const { clock } = workbench.sys;
    for (const timeout of TIMEOUTS_MICROS) {
      const wakes = wakeTimes(workbench, poller);
      const deadline = clock.now() + timeout;
      poller.arm(deadline);
      await workbench.backend.elapse(timeout + 5000);
      await until(workbench, () => wakes.length > 0);
      poller.detach();
      expect(wakes[0]).toBeGreaterThanOrEqual(deadline);
      expect(wakes[0]).toBeLessThan(deadline + FORGOTTEN_MICROS);
    }
  });

  test.attached('armed: a deadline that has passed wakes once and then is done with', async (workbench) => {
    const poller = workbench.openPoller();
    await workbench.backend.elapse(2000);
    const wakes = wakeTimes(workbench, poller);
    poller.arm(workbench.sys.clock.now() - 1000);
    await until(workbench, () => wakes.length > 0);
    await workbench.backend.elapse(50_000);
    expect(wakes.length).toBeLessThanOrEqual(3); // one, and a spurious one or two
    poller.detach();
  });

  test.attached('armed again for earlier: wakes at the earlier deadline', async (workbench) => {
    const poller = workbench.openPoller();
    const wakes = wakeTimes(workbench, poller);
    const now = workbench.sys.clock.now();
    poller.arm(now + 30 * PATIENCE_MICROS);
    poller.arm(now + 5000);
    await until(workbench, () => wakes.length > 0);
    expect(wakes[0]).toBeGreaterThanOrEqual(now + 5000);
    expect(wakes[0]).toBeLessThan(now + 5000 + FORGOTTEN_MICROS);
    poller.detach();
  });

  test.attached(
    'armed again for later: does not wake at the earlier deadline, and wakes at the later',
    async (workbench) => {
      const poller = workbench.openPoller();
      const wakes = wakeTimes(workbench, poller);
      const now = workbench.sys.clock.now();
      poller.arm(now + 5000);
      poller.arm(now + 60_000);
      await until(workbench, () => wakes.length > 0);
      expect(wakes[0]).toBeGreaterThanOrEqual(now + 60_000);
      poller.detach();
    },
  );

  test.attached('armed with NEVER: does not wake at the deadline that was taken back', async (workbench) => {
    const poller = workbench.openPoller();
    const wakes = wakeTimes(workbench, poller);
    poller.arm(workbench.sys.clock.now() + 5000);
    poller.arm(NEVER);
    await workbench.backend.elapse(40_000);
    expect(wakes).toEqual([]);
    poller.detach();
  });

  test.attached('armed in its own wake-up, over and over: ten deadlines, each kept', async (workbench) => {
    const poller = workbench.openPoller();
    const { clock } = workbench.sys;
    let deadline = clock.now() + 1700;
    let kept = 0;
    poller.attach(() => {
      poller.wait(0);
      if (clock.now() < deadline) return; // spurious
      kept++;
      deadline = kept < 10 ? clock.now() + 1700 : NEVER;
      poller.arm(deadline);
    });
    poller.arm(deadline);
    await until(workbench, () => kept === 10);
    expect(kept).toBe(10);
    poller.detach();
  });

  test.attached('a deadline armed before attach is kept after it', async (workbench) => {
    const poller = workbench.openPoller();
    const deadline = workbench.sys.clock.now() + 8000;
    poller.arm(deadline);
    const wakes = wakeTimes(workbench, poller);
    await until(workbench, () => wakes.length > 0);
    expect(wakes[0]).toBeGreaterThanOrEqual(deadline);
    poller.detach();
  });
}

/** Attaches a wake-up that notes the time and looks; returns the list it writes. */
export function wakeTimes(workbench: Workbench, poller: ReturnType<Workbench['openPoller']>): number[] {
  const times: number[] = [];
  poller.attach(() => {
    times.push(workbench.sys.clock.now());
    poller.wait(0);
  });
  return times;
}

/** Lets time pass until `condition` holds or patience ends. */
export async function until(workbench: Workbench, condition: () => boolean): Promise<void> {
  const end = workbench.sys.clock.now() + PATIENCE_MICROS;
  while (!condition() && workbench.sys.clock.now() < end) await workbench.backend.elapse(1000);
}

async function timed(workbench: Workbench, wait: () => Promise<number>): Promise<{ ready: number; elapsed: number }> {
  const start = workbench.sys.clock.now();
  const ready = await wait();
  return { ready, elapsed: workbench.sys.clock.now() - start };
}
