// A game as small as a game can be: the server echoes, each client asks twenty times a second.

import { unreliable } from '../../engine/channels.ts';
import type { Host } from '../../engine/host.ts';
import type { ClientArgs, ServerArgs } from '../../sim/scenario/scenario.ts';

const CHANNELS = { echo: unreliable() };

/** What the clients of one run saw. Only for tests that run one world at a time; `begin()` empties it. */
export const seen: { echoes: Map<string, number>; rttMicros: number[] } = { echoes: new Map(), rttMicros: [] };

export function begin(): void {
  seen.echoes.clear();
  seen.rttMicros.length = 0;
}

export async function server(host: Host, args: ServerArgs): Promise<void> {
  const { port, address, privateKey, maxClients } = args;
  const server = await host.listen({
    port,
    host: address,
    privateKey,
    maxClients,
    channels: CHANNELS,
    wake: 'arrival',
    tickRateHz: 0,
  });
  server.on('message', (peer, _channel, message) => void peer.send('echo', message.copy()));
}

export async function client(host: Host, args: ClientArgs): Promise<void> {
  const client = await host.connect({ token: args.token, channels: CHANNELS });
  const sentAt: number[] = [];
  client.on('message', (_channel, message) => {
    seen.echoes.set(host.name, (seen.echoes.get(host.name) ?? 0) + 1);
    seen.rttMicros.push(host.now() - sentAt[message.u32()]!);
  });
  for (let number = 0; client.state === 'connected'; number++) {
    sentAt.push(host.now());
    client.send('echo', Uint8Array.of(number, number >>> 8, number >>> 16, number >>> 24));
    await host.sleep(50_000);
  }
}
