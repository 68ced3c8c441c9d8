import { describe, expect, it } from 'vitest';
import type { Runtime } from '../../engine/executor/runtime.ts';
import { HeldMessages } from '../../engine/held-messages.ts';

/** Holds that end when the test says so. */
function held() {
  let wake = () => {};
  const sleeper = { sleep: () => new Promise<void>((resolve) => (wake = resolve)) };
  const log: string[] = [];
  const messages = new HeldMessages(
    sleeper as unknown as Runtime,
    (channel, bytes, offset, length) => void log.push(`${channel}: ${[...bytes.subarray(offset, offset + length)]}`),
  );
  const release = async () => {
    wake();
    await Promise.resolve();
  };
  return { messages, log, release };
}

describe('HeldMessages', () => {
  it('keeps copies in order and delivers them in a later turn, and the end after them', async () => {
    const { messages, log, release } = held();
    const bytes = new Uint8Array([1, 2, 3, 4]);
    messages.hold();
    messages.add(0, bytes, 1, 2, 0);
    messages.add(5, bytes, 3, 1, 0);
    messages.afterwards(() => void log.push('end'));
    bytes.fill(9);
    expect([messages.holding, log]).toEqual([true, []]);
    await release();
    expect([messages.holding, log]).toEqual([false, ['0: 2,3', '5: 4', 'end']]);
    messages.afterwards(() => void log.push('at once'));
    expect(log.at(-1)).toBe('at once');
  });

  it('is bounded, and counts what it drops', async () => {
    const { messages, log, release } = held();
    messages.hold();
    for (let i = 0; i < 1030; i++) messages.add(0, new Uint8Array(1), 0, 1, 0);
    await release();
    expect([log.length, messages.dropped]).toEqual([1024, 6]);
  });
});
