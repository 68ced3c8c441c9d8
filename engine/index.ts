/** The package's front door: servers, clients, channels, tokens. */

export { ADDRESS_BYTES, type Micros, type Sys, SysError } from '../sys/api.ts';
export type { SendResult } from '../transport/channel/send-queue.ts';
export type { CloseSide, DisconnectCode, DisconnectReason } from '../transport/endpoint.ts';
export { ByteReader } from '../transport/wire/byte-reader.ts';
export { ByteWriter } from '../transport/wire/byte-writer.ts';
export { MESSAGE_BYTES_MAX } from '../transport/wire/frames.ts';
export { type Channel, type Channels, type Codec, json, type Message, unreliable } from './channels.ts';
export { Client, type ClientEvents, type ClientMessage, type ClientState } from './client.ts';
export type { EngineContext } from './context.ts';
export type { WakePolicy } from './drive.ts';
export { ConfigError, ConnectError } from './errors.ts';
export { type RunningWorker, type StartWorkerOptions, startWorker } from './executor/worker.ts';
export { createHost, type GameModule, type Host } from './host.ts';
export type { Admission, ClientOptions, ReconnectOptions, ServerOptions } from './options.ts';
export type { Peer } from './peer.ts';
export { Server, type ServerEvents, type ServerMessage } from './server.ts';
export { generatePrivateKey, mintToken, type TokenOptions } from './token.ts';
