/** The real-time budget: a game that obeys it drops detail and not latency, and one that is modest keeps its budget. */

import { describe, expect, it } from 'vitest';
import { BUDGET_INITIAL_BYTES_PER_SECOND, BUDGET_MIN_BYTES_PER_SECOND } from '../../../transport/congestion/budget.ts';
import { Bottleneck } from './bottleneck.ts';
import { waitMillis } from './figures.ts';
import { OwnFlow } from './own-flow.ts';
import { budgetGame, bufferOf, MBIT, SECOND } from './scenarios.ts';

describe('a game that sends what the budget allows', () => {
  it('uses most of 1 Mbit/s with a short queue, and recovers within 1.5 s when the rate halves', () => {
    const { use, p99, halvedUse, underAfter } = budgetGame();
    expect(use).toBeGreaterThan(0.85);
    expect(p99).toBeLessThan(25);
    expect(halvedUse).toBeGreaterThan(0.8);
    expect(underAfter).toBeLessThan(1.5);
  });

  it.each([
    ['random loss of 2 %', { loss: 0.02 }],
    ['random loss of 5 %', { loss: 0.05 }],
    ['jitter of 5 ms', { jitterMicros: 5000 }],
  ])('does so over a path with %s', (_name, path) => {
    const { use, p99, underAfter } = budgetGame({ path });
    expect(use).toBeGreaterThan(0.8);
    expect(p99).toBeLessThan(27);
    expect(underAfter).toBeLessThan(1.5);
  });

  it.each([0.5, 5, 20])('does so on %f Mbit/s', (megabits) => {
    const { use, p99 } = budgetGame({ rate: megabits * MBIT });
    expect(use).toBeGreaterThan(0.8);
    expect(p99).toBeLessThan(25);
  });
});

describe('the budget', () => {
  const world = (tickBytes: number, bulk = false) => {
    const rate = 10 * MBIT;
    const bottleneck = new Bottleneck({ bytesPerSecond: rate, bufferBytes: bufferOf(rate, 250) }, 1);
    const flow = new OwnFlow(bottleneck, { rttMicros: 50_000, bulk, tick: { hz: 60, bytes: tickBytes } }, 0);
    return { bottleneck, flow };
  };

  it('begins at its initial value and does not collapse to what a modest game uses', () => {
    const { bottleneck, flow } = world(50);
    bottleneck.run(30 * SECOND);
    expect(flow.controller.budgetBytesPerSecond[0]).toBeGreaterThanOrEqual(BUDGET_INITIAL_BYTES_PER_SECOND);
  });

  it('grows to one and a half of what is delivered, and no further: what was not sent was not proven', () => {
    const { bottleneck, flow } = world(1100);
    bottleneck.run(10 * SECOND);
    const use = 1100 * 60;
    expect(flow.controller.budgetBytesPerSecond[0]).toBeGreaterThan(1.3 * use);
    expect(flow.controller.budgetBytesPerSecond[0]).toBeLessThan(1.7 * use);
  });

  it('knows the path while bulk fills it', () => {
    const { bottleneck, flow } = world(100, true);
    bottleneck.run(10 * SECOND);
    expect(flow.controller.budgetBytesPerSecond[0]).toBeGreaterThan(0.7 * 10 * MBIT);
    expect(flow.controller.budgetBytesPerSecond[0]).toBeLessThan(10 * MBIT);
  });

  it('falls to its minimum, not to nothing, when timeouts show that nothing arrives', () => {
    const { bottleneck, flow } = world(100);
    bottleneck.run(2 * SECOND);
    flow.controller.onTimeout(0, 2 * SECOND);
    expect(flow.controller.budgetBytesPerSecond[0]).toBe(BUDGET_MIN_BYTES_PER_SECOND);
    bottleneck.run(12 * SECOND);
    expect(flow.controller.budgetBytesPerSecond[0]).toBeGreaterThan(BUDGET_INITIAL_BYTES_PER_SECOND / 2);
  });

  it('lets a game that takes it all and bulk live side by side', () => {
    const rate = 2 * MBIT;
    const bottleneck = new Bottleneck({ bytesPerSecond: rate, bufferBytes: bufferOf(rate, 250) }, 1);
    const flow = new OwnFlow(bottleneck, { rttMicros: 50_000, tick: { hz: 60, bytes: 'budget' } }, 0);
    bottleneck.call(10 * SECOND, () => flow.setBulk(true, 10 * SECOND));
    bottleneck.run(25 * SECOND);
    expect(waitMillis(bottleneck, 12 * SECOND, 25 * SECOND, 0.99, true)).toBeLessThan(45);
    expect(flow.controller.budgetBytesPerSecond[0]).toBeGreaterThan(0.5 * rate);
  });
});
