// Packet n of a direction meets the same fate in the proxy as in the simulator, at the same time and with the same bytes.

import { describe, expect, it } from 'vitest';
import type { DirectionOptions } from '../../../sim/link/direction-options.ts';
import type { Micros } from '../../../sys/api.ts';
import { addressOf } from '../../../sys/api.ts';
import { listen, openWorld, send } from '../open-world.ts';
import { Stand } from './open-stand.ts';

const DATAGRAMS = 300;
const FIRST_AT = 20_000;
/** No multiple of anything else here, so that no two events share an instant. */
const PERIOD_MICROS = 4_003;
const SEED = 11;

const LATENCY: DirectionOptions = { latencyMicros: 30_000 };
const ALL: DirectionOptions = {
  mtuBytes: 420,
  rateBitsPerSecond: 500_000,
  queueBytes: 2_000,
  loss: { model: 'gilbert-elliott', loss: 0.1, meanBurstPackets: 3 },
  corrupt: 0.1,
  latencyMicros: 30_000,
  jitterMicros: 20_000,
  reorder: 0.1,
  duplicate: 0.1,
  duplicateDelayMicros: 30_000,
};
const LINKS: readonly [string, DirectionOptions][] = [
  ['independent loss', { ...LATENCY, loss: 0.2 }],
  ['loss in bursts', { ...LATENCY, loss: { model: 'gilbert-elliott', loss: 0.2, meanBurstPackets: 4 } }],
  ['outages in time', { ...LATENCY, loss: { model: 'gilbert-elliott-time', loss: 0.2, meanBurstMicros: 30_000 } }],
  ['duplicates', { ...LATENCY, duplicate: 0.2, duplicateDelayMicros: 9_000 }],
  ['jitter that reorders', { ...LATENCY, jitterMicros: 30_000 }],
  ['packets held back', { ...LATENCY, reorder: 0.2 }],
  ['corruption', { ...LATENCY, corrupt: 0.3 }],
  ['a queue that is too short', { ...LATENCY, rateBitsPerSecond: 400_000, queueBytes: 1_000 }],
  ['every stage', ALL],
];

/** An arrival at the end of a link. */
type Arrival = readonly [time: Micros, bytes: string];

describe.each(LINKS)('with %s', (_, link) => {
  it('what clients send arrives as in the simulator, byte for byte', async () => {
    const stand = await Stand.open({ seed: SEED, link, down: {} });
    try {
      const client = await stand.client();
      for (let n = 0; n < DATAGRAMS; n++) {
        await stand.at(FIRST_AT + n * PERIOD_MICROS);
        await stand.send(client, datagram(n));
      }
      await stand.at(60_000_000);
      const arrivals = arrivalsOf(stand, 'client-0>server');
      const received = await stand.receive(stand.server, arrivals.length);
      expect(arrivals).toEqual(await inSimulator(link, true));
      expect(received.map(({ bytes }) => hex(bytes))).toEqual(arrivals.map(([, bytes]) => bytes));
    } finally {
      stand.close();
    }
  });

  it('what the server sends arrives as in the simulator, byte for byte', async () => {
    const stand = await Stand.open({ seed: SEED, link: {}, down: link });
    try {
      const client = await stand.client();
      await stand.send(client, new Uint8Array(1));
      const [hello] = await stand.receive(stand.server, 1);
      for (let n = 0; n < DATAGRAMS; n++) {
        await stand.at(FIRST_AT + n * PERIOD_MICROS);
        await stand.send(stand.server, datagram(n), hello!.from);
      }
      await stand.at(60_000_000);
      const arrivals = arrivalsOf(stand, 'server>client-0');
      const received = await stand.receive(client, arrivals.length);
      expect(arrivals).toEqual(await inSimulator(link, false));
      expect(received.map(({ bytes }) => hex(bytes))).toEqual(arrivals.map(([, bytes]) => bytes));
    } finally {
      stand.close();
    }
  });
});

it('the second client that comes meets the fates of client-1', async () => {
  const link: DirectionOptions = { ...LATENCY, loss: 0.3 };
  const stand = await Stand.open({ seed: SEED, link });
  try {
    const clients = [await stand.client(), await stand.client()];
    for (let n = 0; n < 50; n++) for (const client of clients) await stand.send(client, datagram(n));
    await stand.at(1_000_000);
    const world = openWorld({ seed: SEED });
    const server = world.host('server');
    for (const name of ['client-0', 'client-1']) {
      const direction = world.direction(world.host(name), server);
      direction.configure(link);
      const lost = Array.from({ length: 50 }, (_, index) => direction.cross(index, 0) < 0);
      const told = stand.seen.filter(({ direction, kind }) => direction === `${name}>server` && kind === 'lost');
      expect(told.map(({ index }) => index)).toEqual(lost.flatMap((gone, index) => (gone ? [index] : [])));
    }
  } finally {
    stand.close();
  }
});

/** What the simulator makes of the same datagrams, sent at the same times. */
async function inSimulator(link: DirectionOptions, fromClient: boolean): Promise<Arrival[]> {
  const world = openWorld({ seed: SEED });
  const server = world.host('server');
  const client = world.host('client-0');
  const [from, to] = fromClient ? [client, server] : [server, client];
  world.direction(from, to).configure(link);
  const arrivals: Arrival[] = [];
  world.start(to, 0, () => listen(to, 9, ({ bytes }) => arrivals.push([world.now, hex(bytes)])));
  world.start(from, 0, async () => {
    const socket = await listen(from, 9, () => {});
    const address = addressOf(`10.0.0.${to.number + 1}`, 9)!;
    for (let n = 0; n < DATAGRAMS; n++) from.at(FIRST_AT + n * PERIOD_MICROS, () => send(socket, address, datagram(n)));
  });
  await world.run({ untilMicros: 60_000_000 });
  return arrivals;
}

function arrivalsOf(stand: Stand, name: string): Arrival[] {
  const here = stand.seen.filter(({ direction, kind }) => direction === name && kind === 'delivered');
  return here.map(({ time, bytes }) => [time, hex(bytes)]);
}

/** Of 1 to 500 bytes. */
function datagram(n: number): Uint8Array {
  return Uint8Array.from({ length: 1 + ((n * 37) % 500) }, (_, i) => n + i * 3);
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
