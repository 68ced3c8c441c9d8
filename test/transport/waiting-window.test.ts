// Values of latest state that wait for the peer's window.

import { expect, test } from 'vitest';
import { Pair } from './pair.ts';

const LATENCY = 50_000;
const STATE_CHANNEL = 5;
const WINDOW = 65_536;

/** Two large values of the first end are on their way, and then nothing more fits the window; they do not arrive. */
function full(): Pair {
  const pair = new Pair({ windowBytes: WINDOW });
  pair.latency(LATENCY);
  pair.run(pair.now + 2_000_000);
  pair.a.fate = () => null;
  set(pair, 1, 30_000);
  set(pair, 2, 30_000);
  pair.wake(pair.a);
  pair.latency(LATENCY);
  return pair;
}

function set(pair: Pair, key: number, length: number): void {
  pair.a.send(pair.now, STATE_CHANNEL, new Uint8Array(length), { tag: key });
}

const arrived = ({ b }: Pair): [number, number][] => b.received.map(({ tag, bytes }) => [tag, bytes.length]);

test('what stands for bytes of the window goes past one that waits for them (swarm seed 2413)', () => {
  const pair = full();
  set(pair, 3, 10_000); // does not fit
  set(pair, 1, 12_000); // takes the place of one that has begun: nothing but it gives those bytes back
  set(pair, 2, 12_000);
  pair.wake(pair.a);
  pair.run(pair.now + 3_000_000);
  expect(arrived(pair).sort()).toEqual([
    [1, 12_000],
    [2, 12_000],
    [3, 10_000],
  ]);
  expect(pair.a.connections.isSettled(0)).toBe(true);
});

test('small values of other keys do not wait behind a large one', () => {
  const pair = full();
  set(pair, 3, 10_000);
  set(pair, 4, 20);
  pair.wake(pair.a);
  pair.run(pair.now + LATENCY);
  expect(arrived(pair)).toEqual([[4, 20]]);
});

test('one that needs more of the window does not go past', () => {
  const pair = full();
  set(pair, 3, 10_000);
  set(pair, 4, 5_600); // would fit where the one before does not
  pair.wake(pair.a);
  pair.run(pair.now + LATENCY);
  expect(arrived(pair)).toEqual([]);
  pair.run(pair.now + 3_000_000);
  expect(arrived(pair).map(([tag]) => tag)).toContain(4);
});

test('one that has gone past is sent again when it is lost, before the one that waits', () => {
  const pair = full();
  set(pair, 3, 10_000);
  set(pair, 4, 20);
  pair.a.fate = () => null;
  pair.wake(pair.a);
  pair.latency(LATENCY);
  pair.run(pair.now + 3_000_000);
  expect(arrived(pair).map(([tag]) => tag)).toContain(4);
  expect(pair.a.connections.isSettled(0)).toBe(true);
});
