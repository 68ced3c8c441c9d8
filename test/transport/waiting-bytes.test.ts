/** What waits is counted: a message that another one replaces waits no more. Found by the swarm, seed 23. */

import { expect, it } from 'vitest';
import { Pair } from './pair.ts';

const NEWEST = 4;
const STATE = 5;

it.each([NEWEST, STATE])(
  'bytes of a message that was replaced while it waited wait no more (channel %i)',
  (channel) => {
    const pair = new Pair();
    pair.latency(10_000);
    for (let i = 0; i < 3; i++) pair.a.send(pair.now, channel, new Uint8Array(100), { tag: channel === STATE ? 7 : 0 });
    expect(pair.a.connections.outgoing.backlog.bytesOf(0)).toBe(100);
    pair.wake(pair.a);
    pair.run(pair.now + 1_000_000);
    expect(pair.a.connections.outgoing.backlog.bytesOf(0)).toBe(0);
    expect(pair.b.received.length).toBe(1);
  },
);
