// The timeline of a scenario file in a proxy: it deals the simulator's fates, and holds for clients that come and go.

import { afterEach, describe, expect, it } from 'vitest';
import { proxyReport } from '../../../sim/proxy/proxy-report.ts';
import { readProxyScenario } from '../../../sim/scenario/proxy-scenario.ts';
import { readScenario } from '../../../sim/scenario/scenario-plan.ts';
import { addressOf, type DatagramSocket, formatAddress, type Micros } from '../../../sys/api.ts';
import { listen, openWorld, send } from '../open-world.ts';
import { Stand, type StandOptions } from './open-stand.ts';

const DATAGRAMS = 400;
/** No multiple of anything in the files, so that no two events share an instant. */
const PERIOD_MICROS = 5_003;
const stands: Stand[] = [];

afterEach(() => {
  for (const stand of stands.splice(0)) stand.close();
});

type File = Readonly<Record<string, unknown>>;

async function open(file: File, options: StandOptions = {}): Promise<Stand> {
  const plan = readProxyScenario('x.json', JSON.stringify(file), () => '', { clients: undefined, seed: undefined });
  const stand = await Stand.open({ ...plan, ...options });
  stands.push(stand);
  return stand;
}

/** An arrival at the end of a link. */
type Arrival = readonly [time: Micros, bytes: string];

const LINK = { latency: '20ms', jitter: '5ms', loss: '5%' };
const FILES: readonly [string, File][] = [
  ['a step', { link: LINK, timeline: [{ at: '1s', set: { loss: '40%', latency: '50ms' } }] }],
  ['steps again and again', { link: LINK, timeline: [{ from: '100ms', every: '200ms', set: { loss: '30%' } }] }],
  ['a ramp', { link: LINK, timeline: [{ at: '500ms', ramp: { latency: '80ms', loss: '50%' }, over: '1s' }] }],
  ['a step at time 0', { link: LINK, timeline: [{ at: '0s', set: { latency: '40ms' } }] }],
  ['a cut that ends', { link: LINK, timeline: [{ at: '700ms', cut: 'client-0', for: '300ms' }] }],
  ['a tunnel', { link: LINK, timeline: [{ at: '700ms', hold: 'client-*', for: '300ms' }] }],
  [
    'a partition of the server',
    { link: LINK, timeline: [{ at: '700ms', partition: 'server', others: '*', for: '90ms' }] },
  ],
  ['links of its own', { link: LINK, links: { 'client-[0..3]': { loss: '30%' } } }],
  [
    'cross traffic on its lines',
    {
      bottlenecks: { in: { rate: '1Mbit/s', queue: '60ms' }, out: { rate: '1Mbit/s', queue: '60ms' } },
      link: { latency: '10ms', up: { bottleneck: 'in' }, down: { bottleneck: 'out' } },
      sources: Object.fromEntries(
        ['in', 'out'].flatMap((over) => [
          [`bulk ${over}`, { type: 'aimd', over, rtt: '20ms', start: '300ms', stop: '1500ms' }],
          [`call ${over}`, { type: 'cbr', over, rate: '200kbit/s', packet: '300B' }],
        ]),
      ),
    },
  ],
  [
    'a shared line that gets slower',
    {
      bottlenecks: { in: { rate: '1Mbit/s', queue: '30ms' }, out: { rate: '1Mbit/s', queue: '30ms' } },
      link: { latency: '10ms', up: { bottleneck: 'in' }, down: { bottleneck: 'out' } },
      timeline: ['in', 'out'].map((bottleneck) => ({ at: '1s', set: { rate: '300kbit/s' }, bottleneck })),
    },
  ],
];

describe.each(FILES)('with %s', (_, fields) => {
  const file = { ...fields, clients: 4, seconds: 20, seed: 'a seed' };

  it.each([true, false])('what is sent arrives as in the simulator (by the client: %s)', async (fromClient) => {
    const stand = await open(file);
    const client = await stand.client();
    let to = stand.proxy.address;
    let from: DatagramSocket = client;
    if (!fromClient) {
      await stand.send(client, Uint8Array.of(0)); // at time 0, where the timeline begins
      to = (stand.proxy.sockets.byKey[1] ?? (await opened(stand))).localAddress;
      from = stand.server;
    }
    for (let n = 0; n < DATAGRAMS; n++) {
      await stand.at(n * PERIOD_MICROS);
      await stand.send(from, datagram(n), to);
    }
    await stand.at(60_000_000);
    const name = fromClient ? 'client-0>server' : 'server>client-0';
    const arrivals = stand.seen.filter(({ direction, kind }) => direction === name && kind === 'delivered');
    const expected = await inSimulator(file, fromClient);
    expect(expected.length).toBeGreaterThan(100);
    expect(expected.length).toBeLessThanOrEqual(DATAGRAMS);
    expect(arrivals.map(({ time, bytes }) => [time, hex(bytes)])).toEqual(expected);
    await stand.receive(fromClient ? stand.server : client, arrivals.length); // the kernel had them all
  });
});

/** What the simulator makes of the same datagrams, sent at the same times. */
async function inSimulator(file: File, fromClient: boolean): Promise<Arrival[]> {
  const plan = readScenario('x.json', JSON.stringify(file), () => '');
  const world = openWorld({ seed: plan.seed, link: plan.link });
  const server = world.host('server');
  const clients = [0, 1, 2, 3].map((index) => world.host(`client-${index}`));
  plan.prepare(world);
  const [from, to] = fromClient ? [clients[0]!, server] : [server, clients[0]!];
  const arrivals: Arrival[] = [];
  world.start(to, 0, () => listen(to, 9, ({ bytes }) => arrivals.push([world.now, hex(bytes)])));
  world.start(from, 0, async () => {
    const socket = await listen(from, 9, () => {});
    const address = addressOf(`10.0.0.${to.number + 1}`, 9)!;
    for (let n = 0; n < DATAGRAMS; n++) from.at(n * PERIOD_MICROS, () => send(socket, address, datagram(n)));
  });
  await world.run({ untilMicros: 60_000_000 });
  return arrivals;
}

describe('a timeline in a proxy', () => {
  it('begins with the first datagram of the first client', async () => {
    const stand = await open({ timeline: [{ at: '1s', cut: '*' }] });
    await stand.at(5_000_000);
    const client = await stand.client();
    for (const [time, n] of [5_000_000, 5_999_000, 6_001_000].entries()) {
      await stand.at(n);
      await stand.send(client, Uint8Array.of(time));
    }
    expect(kinds(stand, 'client-0>server')).toEqual([['delivered'], ['delivered'], ['cut']]);
  });

  it('holds for clients that come later, by their names', async () => {
    const stand = await open({
      links: { 'client-1': { loss: 1 } },
      timeline: [
        { at: '0s', cut: 'client-2' },
        { at: '0s', set: { latency: '70ms' }, link: 'client-[3..9]' },
      ],
      clients: 8,
    });
    for (let n = 0; n < 10; n++) await stand.send(await stand.client(), Uint8Array.of(n));
    await stand.at(100_000);
    const fates = Array.from({ length: 10 }, (_, n) => kinds(stand, `client-${n}>server`)[0]!.join());
    expect(fates.slice(0, 4)).toEqual(['delivered', 'lost', 'cut', 'delivered']);
    const after = (n: number) =>
      stand.seen.find((seen) => seen.direction === `client-${n}>server` && seen.kind === 'delivered')!.time;
    // Client 9 is beyond the eight of the file, and the pattern means it all the same.
    expect([0, 3, 9].map(after)).toEqual([0, 70_000, 70_000]);
  });

  it('counts what was cut, and forgets a client of which nothing is under way', async () => {
    const stand = await open({ timeline: [{ at: '0s', cut: '*' }] }, { idleMicros: 1_000_000 });
    await stand.send(await stand.client(), Uint8Array.of(1));
    expect(proxyReport(stand.proxy).up).toMatchObject({ sent: 1, cut: 1, delivered: 0, underWay: 0 });
    await stand.at(3_000_000);
    expect(stand.proxy.clients.count).toBe(0);
  });

  it('keeps a client of which something is held, and brings it at the release', async () => {
    const timeline = [
      { at: '0s', hold: '*' },
      { at: '8s', release: '*' },
    ];
    const stand = await open({ timeline }, { idleMicros: 1_000_000 });
    await stand.send(await stand.client(), Uint8Array.of(1));
    await stand.at(7_000_000);
    expect([stand.proxy.clients.count, proxyReport(stand.proxy).up.underWay]).toEqual([1, 1]);
    await stand.at(8_000_000);
    expect((await stand.receive(stand.server, 1))[0]!.bytes).toEqual(Uint8Array.of(1));
    expect(stand.seen.at(-1)).toMatchObject({ kind: 'delivered', time: 8_000_000 });
  });

  it('gives clients new ports', async () => {
    const stand = await open({ timeline: [{ at: '1s', rebind: 'client-1' }] });
    const clients = [await stand.client(), await stand.client()];
    const ports: string[][] = [];
    for (const time of [0, 1_000_000]) {
      await stand.at(time);
      for (const client of clients) await stand.send(client, Uint8Array.of(1));
      const heard = await stand.receive(stand.server, 2);
      ports.push(heard.map(({ from }) => formatAddress(from)));
    }
    expect(ports[1]![0]).toBe(ports[0]![0]);
    expect(ports[0]).not.toContain(ports[1]![1]);
    expect(proxyReport(stand.proxy).rebinds).toBe(1);
  });

  it('has NATs that forget: what comes after a silence is unheard, and the next datagram leaves by another port', async () => {
    const stand = await open({ timeline: [{ at: '0s', natTimeout: '1s', host: 'client-0' }] });
    const client = await stand.client();
    await stand.send(client, Uint8Array.of(1));
    const [first] = await stand.receive(stand.server, 1);
    await stand.at(900_000);
    await stand.send(stand.server, Uint8Array.of(2), first!.from);
    await stand.receive(client, 1);
    await stand.at(1_100_000); // what came in keeps nothing alive
    await stand.send(stand.server, Uint8Array.of(3), first!.from);
    await stand.send(client, Uint8Array.of(4));
    const [second] = await stand.receive(stand.server, 1);
    expect([second!.bytes[0], formatAddress(second!.from) === formatAddress(first!.from)]).toEqual([4, false]);
    const { down, rebinds } = proxyReport(stand.proxy);
    expect([down.sent, down.delivered, down.unheard, rebinds]).toEqual([2, 1, 1, 1]);
    await stand.send(stand.server, Uint8Array.of(5), second!.from);
    expect((await stand.receive(client, 1))[0]!.bytes[0]).toBe(5);
  });

  it('may do something ten times a second for hours', async () => {
    const stand = await open({ seconds: 7_200, timeline: [{ from: '0s', every: '100ms', set: { loss: 0 } }] });
    await stand.send(await stand.client(), Uint8Array.of(1));
    await stand.at(7_200_000_000);
    expect(stand.proxy.transit.timeline.waiting).toBe(0);
  });
});

/** What became of each datagram of a direction, but that it came. */
function kinds(stand: Stand, name: string): string[][] {
  const list: string[][] = [];
  for (const { direction, kind, index } of stand.seen) {
    if (direction !== name) continue;
    list[index] ??= [];
    if (kind !== 'received') list[index].push(kind);
  }
  return list;
}

async function opened(stand: Stand): Promise<DatagramSocket> {
  await stand.pass(() => stand.proxy.sockets.byKey[1] !== null);
  return stand.proxy.sockets.byKey[1]!;
}

/** Of 1 to 500 bytes. */
function datagram(n: number): Uint8Array {
  return Uint8Array.from({ length: 1 + ((n * 37) % 500) }, (_, i) => n + i * 3);
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
