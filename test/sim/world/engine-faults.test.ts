// The unmodified engine lives with everything that the world does to its links, hosts, sockets and clocks.

import { describe, expect, it } from 'vitest';
import type { Channels } from '../../../engine/channel-types.ts';
import { reliableOrdered, unreliable } from '../../../engine/channels.ts';
import type { Client } from '../../../engine/client.ts';
import { json } from '../../../engine/codec.ts';
import type { Host } from '../../../engine/host.ts';
import { openEngine } from '../../../sim/world/engine-host.ts';
import type { SimHost } from '../../../sim/world/host.ts';
import { World } from '../../../sim/world/world.ts';
import { inPair, KEY, type Pair, SECOND, SERVER_ADDRESS } from '../../engine/small-world.ts';

const CHANNELS = { chat: reliableOrdered(json<number>()), raw: unreliable() } satisfies Channels;
type C = typeof CHANNELS;

interface Scene extends Pair<C> {
  readonly world: World;
  readonly serverHost: SimHost;
  readonly clientHost: SimHost;
}

/** What is done to a connection, and what has to be true at the end. */
interface Fault {
  readonly name: string;
  readonly act: (scene: Scene) => void;
  /** Undoes it after a second. */
  readonly undo?: (scene: Scene) => void;
  /** That it has happened. */
  readonly seen: (scene: Scene) => number;
}

const onBoth = (act: (host: SimHost) => void) => (scene: Scene) => {
  act(scene.serverHost);
  act(scene.clientHost);
};
const sum = (count: (host: SimHost) => number) => (scene: Scene) =>
  Math.min(count(scene.serverHost), count(scene.clientHost));

const FAULTS: readonly Fault[] = [
  ...(['EAGAIN', 'ENOBUFS'] as const).flatMap((error) => [
    {
      name: `${error} for 300 ms`,
      act: onBoth((host) => host.failSends(error, { forMicros: 300_000 })),
      seen: sum((host) => host.faultStats.sendsBlocked),
    },
    {
      name: `${error} from 50 flushes`,
      act: onBoth((host) => host.failSends(error, { times: 50 })),
      seen: sum((host) => host.faultStats.sendsBlocked - 49),
    },
  ]),
  ...(['ECONNREFUSED', 'EMSGSIZE', 'EPERM'] as const).flatMap((error) => [
    {
      name: `${error} for 300 ms`,
      act: onBoth((host) => host.failSends(error, { forMicros: 300_000 })),
      seen: sum((host) => host.faultStats.sendsRefused),
    },
    {
      name: `${error} for 20 datagrams`,
      act: onBoth((host) => host.failSends(error, { times: 20 })),
      seen: sum((host) => host.faultStats.sendsRefused - 19),
    },
  ]),
  {
    name: 'errors met by 100 receives',
    act: onBoth((host) => host.failReceives(100)),
    seen: sum((host) => host.faultStats.receiveErrors - 99),
  },
  {
    name: 'receive buffers of 2 KiB',
    act: onBoth((host) => host.boundReceiveBuffers(2_048)),
    seen: ({ world }) => world.stats.overflowed,
  },
  {
    name: 'a partition of a second',
    act: ({ world, serverHost, clientHost }) => world.partition([serverHost], [clientHost]),
    undo: ({ world }) => world.heal(),
    seen: ({ world }) => world.stats.cut,
  },
  {
    name: 'a second in which nothing reaches the server',
    act: ({ world, serverHost, clientHost }) => world.partition([clientHost], [serverHost], true),
    undo: ({ world }) => world.heal(),
    seen: ({ world }) => world.stats.cut,
  },
  {
    name: 'a second in which all is held',
    act: ({ world, serverHost, clientHost }) => world.direction(serverHost, clientHost).hold(),
    undo: ({ world, serverHost, clientHost }) => world.direction(serverHost, clientHost).release(),
    seen: ({ world }) => Number(world.latency.quantile(1)! > 900_000),
  },
  {
    name: 'a server that stands still for two seconds',
    act: ({ serverHost }) => serverHost.pause(2 * SECOND),
    seen: ({ serverHost }) => serverHost.faultStats.delayedTurns,
  },
  {
    name: 'a client that stands still for two seconds',
    act: ({ clientHost }) => clientHost.pause(2 * SECOND),
    seen: ({ clientHost }) => clientHost.faultStats.delayedTurns,
  },
  {
    name: 'CPUs that take half a millisecond for a packet',
    act: onBoth((host) => host.setCpu({ perPacketNanos: 500_000, perByteNanos: 50, perTurnNanos: 100_000 })),
    seen: sum((host) => host.faultStats.busyMicros),
  },
  {
    name: 'a NAT that forgets while the client stands still',
    act: ({ world, clientHost }) => {
      world.natTimeout(clientHost, SECOND);
      clientHost.pause(2 * SECOND);
    },
    seen: ({ clientHost }) => clientHost.nat!.forgotten,
  },
  {
    name: 'clocks that drift apart by 200 ppm',
    act: ({ serverHost, clientHost }) => {
      serverHost.clock.drift(100);
      clientHost.clock.drift(-100);
    },
    seen: sum((host) => host.faultStats.clockChanges),
  },
  {
    name: 'a clock that leaps by a second',
    act: ({ clientHost }) => clientHost.clock.leap(SECOND),
    seen: ({ clientHost }) => clientHost.faultStats.clockChanges,
  },
  {
    name: 'calendars that are set by a day',
    act: ({ serverHost, clientHost }) => {
      serverHost.clock.stepCalendar(86_400 * SECOND);
      clientHost.clock.stepCalendar(-86_400 * SECOND);
    },
    seen: sum((host) => host.faultStats.clockChanges),
  },
];

describe('a connection with traffic both ways, with and without ticks, survives', () => {
  it.each(FAULTS)('$name', async ({ act, undo, seen }) => {
    for (const tickRateHz of [0, 30]) {
      await inPair(
        CHANNELS,
        async (pair) => {
          const { small, host, server, peer, client } = pair;
          const { world } = small;
          const [serverHost, clientHost] = [world.hostNamed('server')!, world.hostNamed('client-0')!];
          const scene: Scene = { ...pair, world, serverHost, clientHost };
          const heard: number[] = [];
          const heardByClient: number[] = [];
          const left: unknown[] = [];
          server.on('message', (_peer, channel, value) => void (channel === 'chat' && heard.push(value as number)));
          client.on('message', (channel, value) => void (channel === 'chat' && heardByClient.push(value as number)));
          server.on('disconnect', (_peer, reason) => void left.push(reason));
          client.on('disconnect', (reason) => void left.push(reason));
          for (let i = 0; i < 200; i++) {
            if (i === 50) act(scene);
            if (i === 100) undo?.(scene);
            peer.send('chat', i);
            client.send('chat', i);
            for (let n = 0; n < 3; n++) peer.send('raw', new Uint8Array(1_000));
            await host.sleep(20_000);
          }
          await host.sleep(10 * SECOND);
          const all = Array.from({ length: 200 }, (_, i) => i);
          expect({ left, heard, heardByClient }).toEqual({ left: [], heard: all, heardByClient: all });
          expect(seen(scene)).toBeGreaterThan(0);
        },
        { server: { tickRateHz } },
      );
    }
  });
});

describe('the clock of the other side', () => {
  it.each([
    [100, -100, 10_000],
    [-100, 100, 10_000],
    [100, 0, 1_000],
    [0, -100, 1_000],
    [-100, 100, 100],
    [100, -100, 100],
    [-100, 100, 10],
  ])(
    'is known within the error that is said, with %d ppm here and %d there, over %d us',
    (here, there, latencyMicros) =>
      inPair(
        CHANNELS,
        async ({ small, host, peer, client }) => {
          const [serverHost, clientHost] = [small.world.hostNamed('server')!, small.world.hostNamed('client-0')!];
          serverHost.clock.drift(here);
          clientHost.clock.drift(there);
          let worst = 0;
          for (let i = 0; i < 1_000; i++) {
            peer.send('raw', new Uint8Array(10));
            client.send('raw', new Uint8Array(10));
            await host.sleep(100_000);
            const offset = clientHost.now - serverHost.now;
            worst = Math.max(worst, Math.abs(peer.clockOffsetMicros - offset) / peer.clockErrorMicros);
            worst = Math.max(worst, Math.abs(client.clockOffsetMicros + offset) / client.clockErrorMicros);
          }
          expect(worst).toBeLessThan(1);
          // Acknowledgements wait up to 25 ms for company, which is half of the error that is left.
          expect(peer.clockErrorMicros).toBeLessThan(latencyMicros + 25_000);
        },
        { link: { latencyMicros } },
      ),
  );
});

describe('a server that crashes and is started again', () => {
  it('loses its clients, who find the new one by the same address and go on', async () => {
    const world = new World({ seed: 'crash', link: { latencyMicros: 10_000 } });
    const [serverHost, clientHost] = [world.host('server'), world.host('client')];
    const heard: string[] = [];
    const serve = (life: string) => async () => {
      const engine = openEngine(world, serverHost, () => {});
      const server = await engine.listen<C>({ ...LISTEN, tickRateHz: 30 });
      server.on('message', (_peer, channel, value) => void (channel === 'chat' && heard.push(`${life} ${value}`)));
    };
    const reasons: string[] = [];
    let wanted = true;
    world.start(serverHost, 0, serve('first'));
    world.start(clientHost, 1_000, async () => {
      const engine = openEngine(world, clientHost, () => {});
      let attempts = 0;
      for (let n = 0; wanted; ) {
        const client = await connectTo(engine, ++attempts);
        if (client === null) continue;
        let lost = false;
        client.on('disconnect', (reason) => {
          lost = true;
          reasons.push(reason.code);
        });
        while (!lost && wanted) {
          client.send('chat', n++);
          await engine.sleep(500_000);
        }
        await client.close();
      }
    });
    await world.run({ untilMicros: 5 * SECOND });
    world.crash(serverHost);
    await world.run({ untilMicros: 6 * SECOND });
    world.restart(serverHost, serve('second'));
    await world.run({ untilMicros: 60 * SECOND });
    wanted = false;
    await world.run({ untilMicros: 70 * SECOND });
    expect(reasons[0]).toBe('timeout');
    expect(heard.filter((text) => text.startsWith('first')).length).toBe(10);
    expect(heard.filter((text) => text.startsWith('second')).length).toBeGreaterThan(50);
    expect(world.stats.unheard).toBeGreaterThan(0);
  });

  it('does so in the same way each time', async () => {
    const digests: string[] = [];
    for (const _ of [1, 2]) {
      const world = new World({ seed: 'crash', link: { latencyMicros: 10_000, jitterMicros: 5_000, loss: 0.05 } });
      const [serverHost, clientHost] = [world.host('server'), world.host('client')];
      const serve = async () => {
        await openEngine(world, serverHost, () => {}).listen<C>({ ...LISTEN, tickRateHz: 30 });
      };
      world.start(serverHost, 0, serve);
      world.start(clientHost, 1_000, async () => {
        const engine = openEngine(world, clientHost, () => {});
        for (let attempt = 1; ; attempt++) await (await connectTo(engine, attempt))?.close();
      });
      for (let i = 1; i <= 5; i++) {
        await world.run({ untilMicros: i * SECOND });
        world.crash(serverHost);
        world.restart(serverHost, serve);
      }
      await world.run({ untilMicros: 10 * SECOND });
      digests.push(world.digest());
    }
    expect(digests[0]).toBe(digests[1]);
  });
});

const LISTEN = {
  port: 40_000,
  host: '0.0.0.0',
  publicAddresses: [SERVER_ADDRESS],
  privateKey: KEY,
  freshKey: true,
  protocolId: 7,
  channels: CHANNELS,
};
/** A connection with a new token; null when the server cannot be reached. */
async function connectTo(engine: Host, clientId: number): Promise<Client<C> | null> {
  const token = await engine.mintToken({
    privateKey: KEY,
    clientId,
    addresses: [SERVER_ADDRESS],
    protocolId: 7,
    timeoutSeconds: 2,
  });
  return engine.connect<C>({ token, channels: CHANNELS }).catch(() => null);
}
