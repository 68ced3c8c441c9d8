// A datagram's delay counts from when the kernel had it, however late the proxy comes to read it.

import { afterEach, describe, expect, it } from 'vitest';
import { UdpProxy } from '../../../sim/proxy/udp-proxy.ts';
import { addressOf, type Micros } from '../../../sys/api.ts';
import { openSys } from '../../../sys/index.ts';
import { Stand } from './open-stand.ts';

const LATENCY = 30_000;
let stand: Stand;

afterEach(() => stand?.close());

const linux = openSys().capabilities.backend === 'linux';
/** What this machine cannot do is skipped. */
const skipped = linux ? '' : ' (skipped: koffi is not loaded, or this is not Linux)';

/** Sends a datagram at each of `reads`, which the kernel had at `stamps`; returns when they set out. */
async function setOut(reads: readonly Micros[], stamps: readonly Micros[]): Promise<Micros[]> {
  stand = await Stand.open({ link: { latencyMicros: LATENCY }, stamps });
  const client = await stand.client();
  for (const time of reads) {
    await stand.at(time);
    await stand.send(client, Uint8Array.of(1));
  }
  return stand.seen.filter(({ kind }) => kind === 'received').map(({ time }) => time);
}

describe.skipIf(!linux)(`a datagram sets out${skipped}`, () => {
  it('when the kernel had it, and arrives its latency after that', async () => {
    expect(await setOut([50_000], [20_400])).toEqual([20_400]);
    await stand.at(50_400);
    expect(stand.seen.at(-1)).toMatchObject({ kind: 'delivered', time: 20_400 + LATENCY });
    expect(stand.proxy.departures.latency[0].quantile(0.5)).toBeGreaterThanOrEqual(LATENCY);
    await stand.receive(stand.server, 1);
  });

  it('at once when it has waited for longer than its latency', async () => {
    await setOut([50_000], [10_000]);
    await stand.receive(stand.server, 1);
    expect(stand.seen.at(-1)).toMatchObject({ kind: 'delivered', time: 10_000 + LATENCY });
    expect(stand.proxy.departures.latestMicros).toBe(10_000);
  });

  it('never later than it is read', async () => {
    expect(await setOut([50_000], [50_700])).toEqual([50_000]);
  });

  it('never before the one that was read before it', async () => {
    expect(await setOut([50_000, 60_000, 69_000], [40_000, 30_000, 55_000])).toEqual([40_000, 40_000, 55_000]);
  });

  it('never before what has happened already', async () => {
    stand = await Stand.open({ link: { latencyMicros: LATENCY }, stamps: [1_000, 20_000] });
    const client = await stand.client();
    await stand.at(2_000);
    await stand.send(client, Uint8Array.of(1));
    await stand.at(40_000); // the first has arrived at 31,000
    await stand.send(client, Uint8Array.of(2));
    expect(stand.seen.map(({ kind, index, time }) => [kind, index, time])).toEqual([
      ['received', 0, 1_000],
      ['delivered', 0, 31_000],
      ['received', 1, 31_000],
    ]);
  });

  it('never before the proxy began', async () => {
    expect(await setOut([50_000], [-7_000])).toEqual([0]);
  });
});

it.skipIf(!linux)(`the stamps of the kernel are taken by the proxy of a machine${skipped}`, async () => {
  const sys = openSys();
  const outside = openSys();
  const client = await outside.openUdp(addressOf('127.0.0.1', 0)!);
  const times: Micros[] = [];
  const proxy = await UdpProxy.open(
    { sys },
    {
      ...{ seed: 7, listen: addressOf('127.0.0.1', 0)!, to: client.localAddress, link: {} },
      observe: (time, _direction, kind) => kind === 'received' && times.push(time),
    },
  );
  try {
    client.tx.address.set(proxy.address);
    client.tx.length[0] = 10;
    client.tx.count = 1;
    client.flush();
    const sent = proxy.now;
    while (proxy.now < sent + 20_000); // the proxy has something else to do
    for (let turn = 0; turn < 1_000 && times.length === 0; turn++) proxy.turn(1_000);
    expect(times).toHaveLength(1);
    expect(times[0]).toBeLessThan(sent + 15_000);
  } finally {
    proxy.close();
    client.close();
    sys.close();
    outside.close();
  }
});
