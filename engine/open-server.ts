/** From the options of a server to its parts: what is wrong with them is said before anything is bound. */

import { type DatagramSocket, formatAddress } from '../sys/api.ts';
import { checkWhole } from '../transport/config-error.ts';
import { sessionRows } from '../transport/netcode/server-options.ts';
import { ServerEndpoint, serverSpareBytes } from '../transport/server-endpoint.ts';
import { transportSettings } from '../transport/transport-options.ts';
import { ChannelTable } from './channel-table.ts';
import type { Channels } from './channel-types.ts';
import { type EngineContext, resolveAddress } from './context.ts';
import { ConfigError } from './errors.ts';
import {
  checkMaxClients,
  checkTickRate,
  checkU64Option,
  isDevelopment,
  memoryOptions,
  SERVER_DEFAULTS,
  type ServerOptions,
  spentTokenStore,
} from './options.ts';
import { publicAddresses, serverKeys } from './server-identity.ts';
import { TickClock } from './tick-clock.ts';
import type { Member } from './workers/member.ts';
import { StrayTable } from './workers/stray-table.ts';

/** Datagrams of one receive and of one flush: 256 and 64 cost the same a datagram; a server has the memory. */
const BATCH_SLOTS = 64;
const SLOT_BYTES = 2048;

export interface ServerParts {
  readonly channels: ChannelTable;
  readonly socket: DatagramSocket;
  readonly endpoint: ServerEndpoint;
  readonly maxClients: number;
  readonly ticks: TickClock;
  /** Null: the server is no worker's of a group. */
  readonly member: Member | null;
  readonly strays: StrayTable | null;
}

/** Checks the options, binds the socket. Rejects with ConfigError or SysError. */
export async function openServer<C extends Channels>(
  options: ServerOptions<C>,
  context: EngineContext,
): Promise<ServerParts> {
  const channels = new ChannelTable(options.channels, options.development ?? isDevelopment());
  const maxClients = checkMaxClients(options.maxClients ?? SERVER_DEFAULTS.maxClients);
  const protocolId = checkU64Option('protocolId', options.protocolId);
  const tickRateHz = checkTickRate(options.tickRateHz ?? SERVER_DEFAULTS.tickRateHz);
  if (options.wake === 'tick' && tickRateHz === 0) {
    throw new ConfigError('wake', "'tick' without ticks would never wake up: give a tickRateHz, or wake: 'arrival'");
  }
  const transport = transportSettings({ ...memoryOptions(options), channels: channels.set });
  const host = options.host ?? SERVER_DEFAULTS.host;
  checkWhole('port', options.port, 0, 65_535);
  const local = (await resolveAddress(context, 'host', host, options.port))[0]!;
  const privateKeys = serverKeys(options, local, context);
  const listed = await publicAddresses(options, local, context);
  const member = context.member?.claims(local) ? context.member : null;
  const socket = await context.sys.openUdp(local, {
    rxSlots: BATCH_SLOTS,
    txSlots: BATCH_SLOTS,
    slotBytes: SLOT_BYTES,
    txSpareBytes: serverSpareBytes(maxClients),
    receiveBufferBytes: options.receiveBufferBytes ?? SERVER_DEFAULTS.receiveBufferBytes,
    ...(options.sendBufferBytes === undefined ? {} : { sendBufferBytes: options.sendBufferBytes }),
    reusePort: options.reusePort ?? false,
    ...(member === null ? {} : { descriptor: member.descriptor }),
  });
  const why = socket.way?.().fallback ?? '';
  if (why !== '') context.warn(`the server on ${formatAddress(socket.localAddress)} goes by the kernel's UDP: ${why}`);
  const { clock, rng } = context.sys;
  const given = spentTokenStore(options);
  const spentTokens = member === null ? given : member.spentTokens(given);
  const strays = member === null ? null : new StrayTable(rng);
  const endpoint = new ServerEndpoint(
    {
      ...transport,
      protocolId,
      privateKeys,
      publicAddresses: listed ?? [socket.localAddress],
      maxClients,
      tokenLifetimeMaxSeconds: options.tokenLifetimeMaxSeconds ?? SERVER_DEFAULTS.tokenLifetimeMaxSeconds,
      insecure: options.insecure ?? false,
      resume: options.resume ?? false,
      ...(spentTokens === undefined ? {} : { spentTokens }),
      ...(member === null
        ? {}
        : {
            workerNumber: member.place.number,
            ledger: member.openLedger(sessionRows({ maxClients }), maxClients),
            strays: strays!,
          }),
    },
    context.sys.openAead(socket.rx.slots, SLOT_BYTES),
    rng,
    clock.now(),
    clock.unixSeconds(),
    socket.tx,
  );
  const ticks = new TickClock(tickRateHz, clock.now());
  return { channels, socket, endpoint, maxClients, ticks, member, strays };
}
