// The fingerprint of a run: every field of every event counts, and so does their order.

import { describe, expect, it } from 'vitest';
import { Digest } from '../../../sim/world/digest.ts';

type Event = [time: number, kind: number, where: number, index: number, length: number, hash: number];
const EVENT: Event = [1_000_000, 1, 3, 17, 100, 0x1234_5678];

describe('Digest', () => {
  it('is the digest it has always been', () => {
    expect(digestOf([EVENT, [2 ** 40 + 5, 3, 70_000, 2 ** 32 - 1, 65_507, -1]])).toMatchInlineSnapshot(
      `"63aba43e6a49fb0d8766de4e5187c737"`,
    );
  });

  it('changes with every field of an event, also with the high half of the time', () => {
    const seen = new Set([digestOf([EVENT])]);
    for (let field = 0; field < EVENT.length; field++) {
      const changed: Event = [...EVENT];
      changed[field]!++;
      seen.add(digestOf([changed]));
    }
    seen.add(digestOf([[EVENT[0] + 2 ** 32, ...(EVENT.slice(1) as [number, number, number, number, number])]]));
    expect(seen.size).toBe(EVENT.length + 2);
  });

  it('changes with the order of two events, and with an event more', () => {
    const other: Event = [1_000_000, 2, 4, 1, 0, 0];
    const nothing: Event = [0, 0, 0, 0, 0, 0];
    const all = [[EVENT, other], [other, EVENT], [EVENT, other, nothing], [nothing, EVENT, other], [], [nothing]];
    expect(new Set(all.map((events) => digestOf(events as Event[]))).size).toBe(all.length);
  });

  it('has no collision among 200,000 runs that differ in one small number', () => {
    const seen = new Set<string>();
    for (let i = 0; i < 100_000; i++) {
      seen.add(digestOf([[i, 1, 0, 0, 0, 0]]));
      seen.add(digestOf([[0, 1, 0, 0, 0, i + 1]]));
    }
    expect(seen.size).toBe(200_000);
  });

  it('may be read while the run goes on', () => {
    const digest = new Digest();
    digest.mix(...EVENT);
    expect(digest.hex()).toBe(digest.hex());
    digest.mix(...EVENT);
    expect(digest.hex()).toBe(digestOf([EVENT, EVENT]));
  });
});

function digestOf(events: readonly Event[]): string {
  const digest = new Digest();
  for (const event of events) digest.mix(...event);
  return digest.hex();
}
