/** The package's front door: servers, clients, channels, tokens. */

export {
  ADDRESS_BYTES,
  type Backend,
  type BackendOptions,
  type Micros,
  type SocketWay,
  type SourceLimit,
  type Sys,
  SysError,
  type XdpOptions,
} from '../sys/api.ts';
export { ConnectionStats } from '../transport/connection-stats.ts';
export type { CloseSide, DisconnectCode, DisconnectReason } from '../transport/endpoint.ts';
export { ByteReader } from '../transport/wire/byte-reader.ts';
export { ByteWriter } from '../transport/wire/byte-writer.ts';
export { MESSAGE_BYTES_MAX } from '../transport/wire/frame-types.ts';
export type {
  Channels,
  Fate,
  LatestStateSendOptions,
  SendOptions,
  SendResult,
  TickInputSendOptions,
} from './channel-types.ts';
export {
  type ByteChannel,
  type Channel,
  type ChannelOptions,
  type Kind,
  type LatestStateOptions,
  latestState,
  reliableOrdered,
  reliableSequenced,
  reliableUnordered,
  type TickInputOptions,
  tickInput,
  unreliable,
  unreliableSequenced,
} from './channels.ts';
export { Client, type ClientEvents, type ClientMessage, type ClientState } from './client.ts';
export type { CloseOptions } from './closing.ts';
export { bytes, type Codec, json, type Message } from './codec.ts';
export type { EngineContext } from './context.ts';
export type { WakePolicy } from './drive.ts';
export { ConfigError, ConnectError, RequestError } from './errors.ts';
export { type RunningWorker, type StartWorkerOptions, startWorker } from './executor/worker.ts';
export { createHost, type GameModule, type Host } from './host.ts';
export type { Admission, ClientOptions, MemoryOptions, ReconnectOptions, ServerOptions } from './options.ts';
export type { HandedOver, Peer, PeerEvents } from './peer.ts';
export {
  type RequestChannel,
  type RequestFailure,
  type RequestOptions,
  type RequestsOptions,
  requests,
} from './request-channel.ts';
export { type BroadcastOptions, Server, type ServerEvents, type ServerMessage } from './server.ts';
export { generatePrivateKey, mintToken, type TokenOptions } from './token.ts';
export type { WorkerPlace } from './workers/handovers.ts';
export type { WorkerGauges } from './workers/pulse.ts';
export {
  startWorkers,
  type WorkerGroup,
  type WorkerGroupEvents,
  type WorkerGroupOptions,
  type WorkerGroupReport,
  type WorkerReport,
} from './workers/worker-group.ts';
export type { WorkerState } from './workers/worker-seat.ts';
