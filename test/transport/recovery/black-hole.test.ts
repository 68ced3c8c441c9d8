import { describe, expect, it } from 'vitest';
import { BlackHoles } from '../../../transport/recovery/black-hole.ts';
import { lcg, Pair } from '../pair.ts';

describe('BlackHoles', () => {
  it('finds a path on which everything from a size on is lost, once, and says that size', () => {
    const pair = new Pair();
    const hole = (index: number, _now: number, bytes: number) => (bytes > 900 || index % 40 === 3 ? null : 10_000);
    pair.a.fate = hole;
    pair.b.fate = () => 10_000;
    for (let n = 0; n < 120; n++) {
      pair.at(pair.now + n * 16_667, () => {
        pair.a.send(pair.now, 0, new Uint8Array(n % 3 === 0 ? 1000 + n : 100));
        pair.wake(pair.a);
      });
    }
    pair.run(pair.now + 4_000_000);
    expect(pair.a.blackHoles).toHaveLength(1);
    expect(pair.a.blackHoles[0]).toBeGreaterThan(1000);
    expect(pair.a.blackHoles[0]).toBeLessThan(1050);
    expect(pair.b.blackHoles).toEqual([]);
  });

  it('takes the finding back when a packet of that size arrives', () => {
    const holes = new BlackHoles(2);
    for (let i = 0; i < 20; i++) {
      holes.onLost(1, 1200);
      holes.onAcked(1, 600);
    }
    expect(holes.bytes[1]).toBe(1200);
    holes.onAcked(1, 1200);
    expect(holes.bytes[1]).toBe(0);
    expect(holes.bytes[0]).toBe(0);
  });

  it.each([0.05, 0.2, 0.3])('does not mistake a loss of %d for one, in 200,000 packets of mixed sizes', (loss) => {
    const holes = new BlackHoles(1);
    const rng = lcg(3);
    for (let i = 0; i < 200_000; i++) {
      const bytes = 30 + (rng.u32() % 1170);
      if (rng.u32() / 2 ** 32 < loss) expect(holes.onLost(0, bytes)).toBe(false);
      else holes.onAcked(0, bytes);
    }
  });
});
