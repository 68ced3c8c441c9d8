/** From the options of a client to its parts, and to the token that it connects with. */

import { addressOf, type DatagramSocket } from '../sys/api.ts';
import { CLIENT_SPARE_BYTES, ClientEndpoint } from '../transport/client-endpoint.ts';
import { transportSettings } from '../transport/transport-options.ts';
import { ChannelTable } from './channel-table.ts';
import type { Channels } from './channel-types.ts';
import type { EngineContext } from './context.ts';
import { ConfigError } from './errors.ts';
import {
  type ClientOptions,
  checkTickRate,
  checkU64Option,
  isDevelopment,
  memoryOptions,
  PRIVATE_KEY_BYTES,
  reconnectSettings,
} from './options.ts';
import { TickClock } from './tick-clock.ts';
import { mintToken } from './token.ts';

/** A client has one peer; a handful of slots is enough, and a bot farm has many clients. */
const BATCH_SLOTS = 8;
const SLOT_BYTES = 2048;

export interface ClientParts {
  readonly channels: ChannelTable;
  readonly socket: DatagramSocket;
  readonly endpoint: ClientEndpoint;
  readonly ticks: TickClock;
  /** For the first attempt. */
  readonly token: Uint8Array;
}

/** Checks the options, gets the token, opens the socket. Rejects with ConfigError, SysError, or as the token's function does. */
export async function openClient<C extends Channels>(
  options: ClientOptions<C>,
  context: EngineContext,
): Promise<ClientParts> {
  const channels = new ChannelTable(options.channels, options.development ?? isDevelopment());
  const transport = transportSettings({ ...memoryOptions(options), channels: channels.set });
  const ticks = new TickClock(checkTickRate(options.tickRateHz ?? 0), context.sys.clock.now());
  const token = await fetchToken(options, context);
  const socket = await openSocket(context, CLIENT_SPARE_BYTES);
  const why = socket.way?.().fallback ?? '';
  if (why !== '') context.warn(`the client goes by the kernel's UDP: ${why}`);
  const aead = context.sys.openAead(socket.rx.slots, SLOT_BYTES);
  const resume = reconnectSettings(options.reconnect)?.resume ?? false;
  const endpoint = new ClientEndpoint({ ...transport, resume }, aead, context.sys.rng, socket.tx);
  return { channels, socket, ticks, token, endpoint };
}

/** A socket on a port of its own. Dual stack where there is IPv6, so that a token may list servers of both families. */
export function openSocket(context: EngineContext, txSpareBytes: number): Promise<DatagramSocket> {
  const any = addressOf(context.sys.capabilities.ipv6 ? '::' : '0.0.0.0', 0)!;
  return context.sys.openUdp(any, {
    rxSlots: BATCH_SLOTS,
    txSlots: BATCH_SLOTS,
    slotBytes: SLOT_BYTES,
    txSpareBytes,
  });
}

/** The token: given, fetched, or in development made here with the well-known key. */
export async function fetchToken<C extends Channels>(
  options: ClientOptions<C>,
  context: EngineContext,
): Promise<Uint8Array> {
  const { token, insecureAddress } = options;
  if ((token === undefined) === (insecureAddress === undefined)) {
    throw new ConfigError(
      'token',
      'give the connect token from your backend (or a function that fetches it), or insecureAddress while developing',
    );
  }
  if (insecureAddress !== undefined) {
    const clientId = (BigInt(context.sys.rng.u32()) << 32n) | BigInt(context.sys.rng.u32());
    const protocolId = checkU64Option('protocolId', options.protocolId);
    return mintToken(
      { privateKey: new Uint8Array(PRIVATE_KEY_BYTES), clientId, addresses: [insecureAddress], protocolId },
      context,
    );
  }
  return typeof token === 'function' ? token() : token!;
}
