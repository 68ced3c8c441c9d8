// What drives a proxy by the machine's clock: echoes come back however long they take, and it ends when it is told to.

import { afterEach, expect, it } from 'vitest';
import { type LoopOptions, ProxyLoop } from '../../../sim/proxy/proxy-loop.ts';
import type { ProxyOptions } from '../../../sim/proxy/proxy-options.ts';
import { proxyReport } from '../../../sim/proxy/proxy-report.ts';
import { UdpProxy } from '../../../sim/proxy/udp-proxy.ts';
import { addressOf } from '../../../sys/api.ts';
import { type Backend, openSys } from '../../../sys/index.ts';
import { openDgramOutside } from '../../conformance/outside.ts';

const ECHOES = 5;
const closing: (() => void)[] = [];

afterEach(() => {
  for (const close of closing.splice(0)) close();
});

async function open(backend: Backend, options: Partial<ProxyOptions> = {}) {
  const server = await openDgramOutside('127.0.0.1');
  const client = await openDgramOutside('127.0.0.1');
  const sys = openSys({ backend });
  const proxy = await UdpProxy.open(
    { sys },
    { seed: 7, listen: addressOf('127.0.0.1', 0)!, to: server.address, link: { latencyMicros: 3_000 }, ...options },
  );
  closing.push(() => {
    proxy.close();
    sys.close();
    server.close();
    client.close();
  });
  return { proxy, server, client };
}

const linux = openSys().capabilities.backend === 'linux';

it.each<[string, Backend, LoopOptions]>([
  ['that owns its thread', 'udp', {}],
  ['that owns its thread and does not sleep', 'udp', { spin: true }],
  ["that shares Node's loop", 'dgram', {}],
])('a loop %s carries datagrams both ways and ends', async (_, backend, options) => {
  if (backend === 'udp' && !linux) return;
  const { proxy, server, client } = await open(backend);
  const loop = new ProxyLoop(proxy, options);
  const ran = loop.run();
  for (let n = 0; n < ECHOES; n++) {
    await client.send(proxy.address, Uint8Array.of(n));
    const heard = await server.receive();
    await server.send(heard.from, heard.bytes);
    expect((await client.receive()).bytes).toEqual(Uint8Array.of(n));
  }
  loop.stop();
  await ran;
  const { up, down, latenessMs } = proxyReport(proxy);
  expect([up.sent, up.delivered, down.sent, down.delivered]).toEqual([ECHOES, ECHOES, ECHOES, ECHOES]);
  for (const way of [up, down]) expect(way.latencyMs.p50).toBeGreaterThanOrEqual(3); // never early
  expect(latenessMs.max).toBeGreaterThanOrEqual(latenessMs.p99!);
});

it('a loop ends with the error of a turn that throws', async () => {
  const { proxy, client } = await open(linux ? 'udp' : 'dgram', {
    observe: () => {
      throw new Error('the capture is full');
    },
  });
  const ran = new ProxyLoop(proxy).run();
  await client.send(proxy.address, Uint8Array.of(1));
  await expect(ran).rejects.toThrow('the capture is full');
});
