// Damaged datagrams: how many, in which ways, and that the engine drops every one of them.

import { describe, expect, it } from 'vitest';
import { unreliable } from '../../../engine/channels.ts';
import type { Client } from '../../../engine/client.ts';
import type { Server } from '../../../engine/server.ts';
import { Chance } from '../../../sim/link/chance.ts';
import { CORRUPT_KINDS, Corrupt, type CorruptKind, INTACT } from '../../../sim/link/corrupt.ts';
import type { DirectionOptions } from '../../../sim/link/direction-options.ts';
import { LinkDirection } from '../../../sim/link/link.ts';
import { openEngine } from '../../../sim/world/engine-host.ts';
import type { AeadFactory } from '../../../sim/world/sim-sys.ts';
import { Streams } from '../../../sim/world/streams.ts';
import { chooseAead } from '../../../sys/aead/choose.ts';
import { addressOf } from '../../../sys/api.ts';
import { listen, openWorld, send } from '../open-world.ts';

const PACKETS = 100_000;
const SECOND = 1_000_000;
const CHANNELS = { echo: unreliable() };

describe('Corrupt', () => {
  it('damages the share that it was told to, each kind as often as the others, within 4 sigma', () => {
    const corrupt = corruptOf(0.1, CORRUPT_KINDS);
    const counts = [0, 0, 0, 0];
    for (let index = 0; index < PACKETS; index++) {
      const kind = corrupt.kind(index);
      if (kind !== INTACT) counts[kind]!++;
    }
    for (const count of counts) expect(Math.abs(count - PACKETS / 40)).toBeLessThan(4 * Math.sqrt(PACKETS / 40));
  });

  it.each(CORRUPT_KINDS)('never leaves a packet as it was, whatever its length: %s', (kind) => {
    const corrupt = corruptOf(1, [kind]);
    const random = new Streams(7).stream('bytes');
    const room = new Uint8Array(300);
    for (let index = 0; index < 20_000; index++) {
      const length = index % 200;
      random.fill(room);
      if (index % 3 === 0) room.fill(0); // equal to those before
      const payload = room.slice(50, 50 + length);
      const now = corrupt.damage(index, corrupt.kind(index), new DataView(room.buffer), 50, length);
      if (now === length && payload.every((byte, i) => byte === room[50 + i]))
        expect.fail(`packet ${index} is as before`);
      if (kind === 'truncate' && length > 0) expect(now).toBeLessThan(length);
      if (kind === 'extend') expect(now - length).toBeGreaterThan(0);
      expect(now - length).toBeLessThanOrEqual(16);
    }
  });

  it('turns one to eight bits, as often as one another', () => {
    const corrupt = corruptOf(1, ['flip']);
    const counts = Array.from({ length: 9 }, () => 0);
    for (let index = 0; index < 8_000; index++) {
      const bytes = new Uint8Array(40);
      corrupt.damage(index, corrupt.kind(index), new DataView(bytes.buffer), 0, 40);
      counts[bytes.reduce((sum, byte) => sum + [...byte.toString(2)].filter((bit) => bit === '1').length, 0)]!++;
    }
    for (let bits = 1; bits <= 8; bits++) expect(Math.abs(counts[bits]! - 1_000)).toBeLessThan(4 * Math.sqrt(875));
  });
});

it('delivers damaged datagrams of every size with their new length, counts them, and is the same each time', async () => {
  const run = async () => {
    const world = openWorld();
    const [from, to] = [world.host('from'), world.host('to')];
    world.direction(from, to).configure({ corrupt: 0.5, duplicate: 0.1 });
    const damaged = { same: 0, shorter: 0, longer: 0 };
    world.start(to, 0, () =>
      listen(to, 9, ({ bytes }) => {
        const sent = bytes.length > 1 ? bytes[0]! | (bytes[1]! << 8) : 0;
        if (bytes.length > sent) damaged.longer++;
        else if (bytes.length < sent) damaged.shorter++;
        else damaged.same++;
      }),
    );
    world.start(from, 0, async () => {
      const socket = await listen(from, 0, () => {});
      for (const length of [2, 100, 113, 127, 128, 500, 512, 1_200]) {
        for (let k = 0; k < 100; k++) {
          const bytes = new Uint8Array(length).fill(7);
          new DataView(bytes.buffer).setUint16(0, length, true);
          send(socket, addressOf('10.0.0.2', 9)!, bytes);
          await new Promise<void>((resolve) => from.at(world.now + 500, resolve));
        }
      }
    });
    await world.run({ untilMicros: 2 * SECOND });
    const { sent, duplicated, delivered, overflowed, corrupted } = world.stats;
    expect(Math.abs(corrupted - sent / 2)).toBeLessThan(4 * Math.sqrt(sent / 4));
    expect(world.direction(from, to).stats.corrupted).toBe(corrupted);
    expect(sent + duplicated).toBe(delivered + overflowed);
    expect(damaged.shorter).toBeGreaterThan(60);
    expect(damaged.longer).toBeGreaterThan(60);
    expect(world.datagramsHeld).toBe(0);
    return world.digest();
  };
  expect(await run()).toBe(await run());
});

it.each([
  ['the stand-in', undefined],
  ['real ciphers', (slots: number, slotBytes: number) => chooseAead(slots, slotBytes)],
] as const)(
  'under 5 % corruption the engine drops every damaged datagram and goes on, with %s',
  async (_, openAead) => {
    const clean = await play(0, 0, openAead);
    expect(clean).toMatchObject({ corrupted: 0, dropped: 0 });
    const later = await play(SECOND, 0.05, openAead);
    expect(later.state).toBe('connected');
    expect(later.echoes).toBeGreaterThan(0.85 * clean.echoes);
    expect(later.corrupted).toBeGreaterThan(80);
    expect(later.dropped).toBe(later.corrupted);
    // During the handshake, what is damaged is sent again, and of what is sent again the second is dropped too.
    const first = await play(0, 0.05, openAead);
    expect(first.state).toBe('connected');
    expect(first.echoes).toBeGreaterThan(0.85 * clean.echoes);
    expect(first.dropped).toBeGreaterThanOrEqual(first.corrupted);
  },
);

it.each([
  [{ corrupt: 2 }, 'corrupt is a probability'],
  [{ corruptKinds: [] }, 'corruptKinds is a list of at least one of flip, truncate, extend, splice'],
  [{ corruptKinds: ['burn'] }, 'corruptKinds is a list'],
] as [DirectionOptions, string][])('refuses %o: %s', (options, text) => {
  const refusal = () => new LinkDirection('a>b', 0, new Streams(7), options);
  expect(refusal).toThrow(RangeError);
  expect(refusal).toThrow(`link a>b: ${text}`);
});

function corruptOf(probability: number, kinds: readonly CorruptKind[]): Corrupt {
  const corrupt = new Corrupt(new Chance(new Streams(7).stream('link/a>b')));
  corrupt.configure(probability, kinds);
  return corrupt;
}

/** 20 s of a server that echoes and a client that asks 60 times a second, damaged from a time on; a second more without. */
async function play(fromMicros: number, corrupt: number, openAead: AeadFactory | undefined): Promise<Played> {
  const clean = { latencyMicros: 20_000 };
  const world = openWorld({ link: clean, ...(openAead === undefined ? {} : { openAead }) });
  const [serverHost, clientHost] = [world.host('server'), world.host('client')];
  const [serverEngine, clientEngine] = [serverHost, clientHost].map((host) => openEngine(world, host, () => {}));
  const privateKey = new Uint8Array(32).fill(9);
  const address = serverHost.address(40_000);
  let server: Server<typeof CHANNELS> | undefined;
  let client: Client<typeof CHANNELS> | undefined;
  let echoes = 0;
  world.start(serverHost, 0, async () => {
    const host = address.replace(/:\d+$/, '');
    const options = { port: 40_000, host, privateKey, maxClients: 4, channels: CHANNELS, tickRateHz: 60 };
    server = await serverEngine!.listen(options);
    server.on('message', (peer, _channel, message) => void peer.send('echo', message.copy()));
  });
  world.start(clientHost, 10_000, async () => {
    const token = () => clientEngine!.mintToken({ privateKey, clientId: 1, addresses: [address], protocolId: 0 });
    client = await clientEngine!.connect({ token, channels: CHANNELS });
    client.on('message', (_channel, message) => {
      expect([...message.copy()]).toEqual([1, 2, 3, 4]);
      echoes++;
    });
    while (client.state === 'connected') {
      client.send('echo', Uint8Array.of(1, 2, 3, 4));
      await clientEngine!.sleep(16_000);
    }
  });
  await world.run({ untilMicros: fromMicros });
  world.link(serverHost, clientHost, { ...clean, corrupt });
  await world.run({ untilMicros: 20 * SECOND });
  world.link(serverHost, clientHost, clean);
  await world.run({ untilMicros: 21 * SECOND });
  const drops = [server!.drops, client!.drops].flatMap((each) => Object.values(each));
  const dropped = drops.reduce((sum, count) => sum + count, 0);
  return { state: client!.state, echoes, corrupted: world.stats.corrupted, dropped };
}

interface Played {
  readonly state: string;
  readonly echoes: number;
  readonly corrupted: number;
  readonly dropped: number;
}
