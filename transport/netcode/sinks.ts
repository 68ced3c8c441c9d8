/** What the endpoints of netcode tell whoever drains them. */

import type { DisconnectReason } from '../endpoint.ts';

/** What a server tells, in order. Connections are numbers, 0 .. maxClients - 1, given again only after `disconnect`. */
export interface NetcodeServerSink {
  /** A client proved its token and its address. Answer with `accept` or `refuse`, now or later. */
  admit(connection: number): void;
  connect(connection: number): void;
  /** `length` bytes at `bytes[offset ..]`, borrowed until the next receive. `receivedNumber[0]` is the packet number. */
  payload(connection: number, bytes: Uint8Array, offset: number, length: number): void;
  /** The end of every connection that `admit` named, whether it was accepted or not. */
  disconnect(connection: number, reason: DisconnectReason): void;
}

/** What a client tells, in order. */
export interface NetcodeClientSink {
  /** The server took us in as connection `index` of at most `maxClients`. */
  connect(index: number, maxClients: number): void;
  /** `length` bytes at `bytes[offset ..]`, borrowed until the next receive. `receivedNumber[0]` is the packet number. */
  payload(bytes: Uint8Array, offset: number, length: number): void;
  /** The end of every `connect()` call, whether it came to a connection or not. */
  disconnect(reason: DisconnectReason): void;
}
