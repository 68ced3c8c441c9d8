import { expect, test } from 'vitest';
import { Pair } from './pair.ts';

const LATENCY = 50_000;
const UNRELIABLE_CHANNEL = 0;
const ORDERED_CHANNEL = 2;

/** Two ends that have said hello. The first has `ids` connection ids to offer, and has sent nothing of them yet. */
function greeted(ids: number, windowBytes: number = 1 << 27): Pair {
  const pair = new Pair({ windowBytes });
  pair.latency(LATENCY);
  pair.run(pair.now + 2_000_000);
  pair.a.session.idsToOffer = ids;
  return pair;
}

/** The first end says something, in a packet of its own that needs so long (null: it is lost). */
function say(pair: Pair, delay: number | null): void {
  pair.a.fate = () => delay;
  pair.a.send(pair.now, UNRELIABLE_CHANNEL, new Uint8Array(20));
  pair.wake(pair.a);
}

/** Numbers of the ids that the other end has, each once. */
const arrived = ({ b }: Pair): number[] => [...new Set(b.session.stored.map((id) => id[0]!))];

test('the first id arrives with the next packet when the one that brought it is lost (swarm seed 1375)', () => {
  const pair = greeted(1);
  say(pair, null);
  pair.run(pair.now + 5_000);
  say(pair, LATENCY);
  pair.run(pair.now + LATENCY);
  expect(arrived(pair)).toEqual([1]);
});

test('the first id rides in packets that only ack', () => {
  const pair = greeted(1);
  say(pair, null);
  pair.a.fate = () => 1_000;
  pair.b.send(pair.now, UNRELIABLE_CHANNEL, new Uint8Array(20));
  pair.wake(pair.b);
  pair.run(pair.now + LATENCY + 30_000);
  expect(arrived(pair)).toEqual([1]);
});

test('ids after the first do not ride', () => {
  const pair = greeted(2);
  say(pair, LATENCY);
  pair.run(pair.now + 1_000_000);
  expect(arrived(pair)).toEqual([2, 1]);
  const before = pair.b.session.stored.length;
  pair.a.session.idsToOffer = 1;
  say(pair, LATENCY);
  say(pair, LATENCY);
  say(pair, LATENCY);
  pair.run(pair.now + LATENCY);
  expect(pair.b.session.stored.length).toBe(before + 1);
});

test('a late ack of a copy of the first id is none of the second', () => {
  const pair = greeted(2);
  say(pair, LATENCY);
  say(pair, LATENCY + 40_000);
  pair.a.fate = () => null; // so is the second id, with all that follows until then
  pair.run(pair.now + 3 * LATENCY + 40_000);
  expect(arrived(pair)).toEqual([2]);
  pair.latency(LATENCY);
  pair.run(pair.now + 2_000_000);
  expect(arrived(pair)).toEqual([2, 1]);
});

test('the first id alone is no reason for a packet: a message that waits for the window sends none (swarm seed 2193)', () => {
  const pair = greeted(1, 65_536);
  say(pair, LATENCY);
  pair.a.send(pair.now, ORDERED_CHANNEL, new Uint8Array(40_000));
  pair.a.send(pair.now, ORDERED_CHANNEL, new Uint8Array(40_000));
  const before = pair.a.packets;
  pair.wake(pair.a);
  expect(pair.a.packets - before).toBe(Math.ceil(40_000 / 1_152));
  pair.run(pair.now + 1_000_000);
  expect(pair.b.received.filter(({ channel }) => channel === ORDERED_CHANNEL)).toHaveLength(2);
});
