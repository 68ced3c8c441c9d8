/** Server and client over this machine's own sockets: both families, names, a thread of its own. */

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, it } from 'vitest';
import { unreliable } from '../../engine/channels.ts';
import { Client } from '../../engine/client.ts';
import { openContext } from '../../engine/open.ts';
import { Server } from '../../engine/server.ts';
import { generatePrivateKey, mintToken } from '../../engine/token.ts';
import { CHANNELS as ARENA_CHANNELS, PROTOCOL_ID } from '../../samples/arena/protocol.ts';
import { addressOf, portOf } from '../../sys/api.ts';
import { openSys } from '../../sys/index.ts';

const CHANNELS = { echo: unreliable() };
const hasIPv6 = openSys().capabilities.ipv6;
const DIST = join(import.meta.dirname, '../../dist');
const built = existsSync(join(DIST, 'engine/executor/worker.js'));

/** A server that echoes, a client that has connected to it and heard its echo, both closed afterwards. */
async function echoOver(host: string, dialled: (port: number) => string): Promise<string> {
  const context = openContext();
  context.runtime.attach();
  const privateKey = generatePrivateKey(context);
  // A wildcard must say how it is dialled, and that needs the port: let the system choose one first.
  const probe = await context.sys.openUdp(addressOf('127.0.0.1', 0)!);
  const port = portOf(probe.localAddress);
  probe.close();
  const server = await Server.listen(
    { port, host, publicAddresses: [dialled(port)], privateKey, freshKey: true, channels: CHANNELS, wake: 'arrival' },
    context,
  );
  try {
    let from = '';
    server.on('message', (peer, channel, message) => {
      from = peer.address;
      peer.send(channel, message.bytes(message.length));
    });
    const token = await mintToken({ privateKey, clientId: 1, addresses: [dialled(port)] }, context);
    const client = await Client.connect({ token, channels: CHANNELS }, context);
    const heard = new Promise<string>((resolve) =>
      client.on('message', (_channel, message) => resolve(new TextDecoder().decode(message.copy()))),
    );
    // Unreliable: said again until it is heard.
    const say = setInterval(() => client.send('echo', new TextEncoder().encode('hello')), 20);
    expect(await heard).toBe('hello');
    clearInterval(say);
    await client.close();
    return from;
  } finally {
    await server.close();
    context.runtime.detach();
  }
}

describe('over loopback', () => {
  it('IPv4', async () => {
    expect(await echoOver('127.0.0.1', (port) => `127.0.0.1:${port}`)).toMatch(/^127\.0\.0\.1:\d+$/);
  });

  it.skipIf(!hasIPv6)(`IPv6${hasIPv6 ? '' : ' (this machine has none)'}`, async () => {
    expect(await echoOver('::1', (port) => `[::1]:${port}`)).toMatch(/^\[::1\]:\d+$/);
  });

  it.skipIf(!hasIPv6)(`both on one socket${hasIPv6 ? '' : ' (this machine has no IPv6)'}`, async () => {
    expect(await echoOver('::', (port) => `127.0.0.1:${port}`)).toMatch(/^127\.0\.0\.1:\d+$/);
    expect(await echoOver('::', (port) => `[::1]:${port}`)).toMatch(/^\[::1\]:\d+$/);
  });

  it('a host name', async () => {
    expect(await echoOver('localhost', (port) => `localhost:${port}`)).toMatch(/:\d+$/);
  });

  it.skipIf(!built)(`the arena in a thread of its own${built ? '' : ' (needs npm run build)'}`, async () => {
    const context = openContext();
    context.runtime.attach();
    const privateKey = generatePrivateKey(context);
    const port = 40_000 + (process.pid % 10_000);
    // A worker runs built code only, and so does what starts it.
    const { startWorker } = (await import(
      pathToFileURL(join(DIST, 'engine/executor/worker.js')).href
    )) as typeof import('../../engine/executor/worker.ts');
    const worker = await startWorker({
      moduleUrl: pathToFileURL(join(DIST, 'samples/arena/game.js')),
      args: { port, privateKey, freshKey: true },
    });
    const grant = { privateKey, protocolId: PROTOCOL_ID, addresses: [`127.0.0.1:${port}`] };
    const token = await mintToken({ ...grant, clientId: 5 }, context);
    const client = await Client.connect({ token, channels: ARENA_CHANNELS }, context);
    const states = await new Promise<number>((resolve) => {
      let count = 0;
      client.on('message', () => {
        if (++count === 30) resolve(count);
      });
    });
    expect(states).toBe(30);
    await client.close();
    await worker.stop();
    context.runtime.detach();
  });
});
