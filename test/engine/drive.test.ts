/** A full kernel does not make the drive spin, and nothing of what waits is lost. */

import { expect, it } from 'vitest';
import { unreliable } from '../../engine/channels.ts';
import type { WakePolicy } from '../../engine/drive.ts';
import { openEngine } from '../../sim/world/engine-host.ts';
import type { SimSocket } from '../../sim/world/sim-socket.ts';
import { World } from '../../sim/world/world.ts';
import { KEY, SECOND, SERVER_ADDRESS } from './small-world.ts';

it.each([
  ['tick', 60, 5 * 60],
  ['arrival', 0, 20],
] as [WakePolicy, number, number][])(
  'with wake %s and %d ticks a second, five seconds of a full kernel cost at most %d turns and a few',
  async (wake, tickRateHz, turnsMax) => {
    const world = new World({ seed: 'full kernel', link: { latencyMicros: 1000 } });
    const serverHost = world.host('server');
    const clientHost = world.host('client');
    const opened: SimSocket[] = [];
    const { openUdp } = serverHost.sys;
    serverHost.sys.openUdp = async (local, options) => {
      const socket = await openUdp.call(serverHost.sys, local, options);
      opened.push(socket as SimSocket);
      return socket;
    };
    const [here, there] = [openEngine(world, serverHost, () => {}), openEngine(world, clientHost, () => {})];
    let turns = -1;
    const heard: number[] = [];
    world.start(serverHost, 0, async () => {
      const server = await here.listen({
        port: 40_000,
        host: '0.0.0.0',
        publicAddresses: [SERVER_ADDRESS],
        privateKey: KEY,
        freshKey: true,
        tickRateHz,
        wake,
        channels: { a: unreliable() },
      });
      const token = await here.mintToken({
        privateKey: KEY,
        clientId: 1,
        addresses: [SERVER_ADDRESS],
        timeoutSeconds: 60,
      });
      const player = await there.connect({ token, channels: { a: unreliable() } });
      player.on('message', (_channel, message) => void heard.push(message.u8()));
      await here.sleep(SECOND);
      opened[0]!.blockSending(world.now + 5 * SECOND);
      for (let n = 0; n < 100; n++) server.peers[0]!.send('a', new Uint8Array([n, ...new Uint8Array(1100)]));
      const before = serverHost.turns;
      await here.sleep(4.9 * SECOND);
      turns = serverHost.turns - before;
      await here.sleep(2 * SECOND);
    });
    await world.run({ untilMicros: 12 * SECOND });
    expect(turns).toBeGreaterThan(0);
    expect(turns).toBeLessThanOrEqual(turnsMax + 20);
    expect(heard).toEqual(Array.from({ length: 100 }, (_, n) => n));
  },
);
