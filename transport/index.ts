/** The protocol without I/O: connect tokens, sealed sessions and what a program over its own sockets needs of them. */

export { ConfigError } from './config-error.ts';
export type { CloseSide, DisconnectCode, DisconnectReason, Endpoint } from './endpoint.ts';
export * from './netcode/client-states.ts';
export type { DropCounters, DropName } from './netcode/drop-counters.ts';
export { NetcodeClient, type NetcodeClientOptions, type NetcodeClientSink } from './netcode/netcode-client.ts';
export { NetcodeServer, type NetcodeServerOptions, type NetcodeServerSink } from './netcode/netcode-server.ts';
export { OVERHEAD_BYTES_MAX, PAYLOAD_BYTES_MAX } from './netcode/packets.ts';
export { REPLAY_WINDOW_DEFAULT, REPLAY_WINDOW_STANDARD } from './netcode/replay-window.ts';
export { DEVELOPMENT_KEY } from './netcode/server-options.ts';
export {
  type ConnectToken,
  type ConnectTokenOptions,
  mintConnectToken,
  readConnectToken,
  TOKEN_BYTES,
  TOKEN_LIFETIME_SECONDS,
  TOKEN_TIMEOUT_SECONDS,
} from './netcode/token.ts';
export type { SpentTokenStore } from './netcode/token-history.ts';
