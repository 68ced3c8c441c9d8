/** Inputs that do not fit one packet together leave in several, once. Found by the swarm, seeds 26 and 38. */

import { expect, it } from 'vitest';
import { Pair } from './pair.ts';

const INPUT = 6;

it('inputs that wait together and do not fit one packet all leave, in few packets', () => {
  const pair = new Pair();
  pair.latency(10_000);
  for (let tick = 0; tick < 4; tick++) pair.a.send(pair.now, INPUT, new Uint8Array(700).fill(tick), { tag: tick });
  pair.wake(pair.a);
  pair.run(pair.now + 1_000_000);
  expect(pair.b.received.map(({ tag }) => tag)).toEqual([0, 1, 2, 3]);
  expect(pair.a.packets).toBeLessThan(12);
  expect(pair.a.connections.outgoing.unsettled[0]).toBe(0);
});
