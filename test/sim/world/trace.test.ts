// The events of a world as lines.

import { expect, it } from 'vitest';
import type { SimSocket } from '../../../sim/world/sim-socket.ts';
import { addressOf } from '../../../sys/api.ts';
import { listen, openWorld, send } from '../open-world.ts';

it('tells of packets, of what is done to links and of what is done to hosts, in their order', async () => {
  const world = openWorld({ link: { latencyMicros: 1_000 } });
  const [a, b] = [world.host('a'), world.host('b')];
  let socket!: SimSocket;
  world.start(b, 0, () => listen(b, 9, () => {}));
  world.start(a, 0, async () => {
    socket = await listen(a, 8, () => {});
  });
  await world.run({ untilMicros: 1_000 });
  const lines: string[] = [];
  world.trace((line) => lines.push(line.trim()));
  const say = async (): Promise<void> => {
    world.start(a, world.now, () => send(socket, addressOf('10.0.0.2', 9)!, Uint8Array.of(1)));
    await world.run({ untilMicros: world.now });
  };
  world.direction(a, b).cut();
  await say();
  world.direction(a, b).mend();
  await say();
  b.pause(500);
  await world.run({ untilMicros: 10_000 });
  world.crash(b);
  expect(lines).toEqual([
    '1.000 ms  a>b is cut from now on',
    '1.000 ms  a>b #0  came to a cut link  1 bytes',
    '1.000 ms  a>b is mended',
    '1.000 ms  a>b #1  sent  1 bytes',
    '1.000 ms  b pauses',
    '2.000 ms  a>b #1  delivered  1 bytes',
    '10.000 ms  b crashes',
  ]);
});
