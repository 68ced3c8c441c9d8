// A game as thin as a game can be, so that the engine and the network are what is measured: every client sends an input of
// 32 bytes 60 times a second, the server tells everybody a state of 100 bytes 30 times a second.

import { tickInput, unreliable } from '../../engine/channels.ts';
import type { Host } from '../../engine/host.ts';
import type { ClientArgs, ServerArgs } from '../../sim/scenario/scenario.ts';

const CHANNELS = { input: tickInput(), state: unreliable() };
export const INPUT_RATE_HZ = 60;
export const STATE_RATE_HZ = 30;
const INPUT = new Uint8Array(32);
const STATE = new Uint8Array(100);

export async function server(host: Host, args: ServerArgs): Promise<void> {
  const { port, address, privateKey, maxClients } = args;
  const server = await host.listen({
    port,
    host: address,
    privateKey,
    maxClients,
    channels: CHANNELS,
    tickRateHz: STATE_RATE_HZ,
  });
  server.on('tick', () => void server.broadcast('state', STATE));
}

export async function client(host: Host, args: ClientArgs): Promise<void> {
  const client = await host.connect({ token: args.token, channels: CHANNELS, tickRateHz: INPUT_RATE_HZ });
  client.on('tick', (tick) => void client.send('input', INPUT, { tick }));
}
