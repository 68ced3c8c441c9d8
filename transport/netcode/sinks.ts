/** What the endpoints of netcode tell whoever drains them. */

import type { Micros } from '../../sys/api.ts';
import type { DisconnectReason } from '../endpoint.ts';

/** What a server tells, in order. Connections are numbers, 0 .. maxClients - 1, given again only after `disconnect`. */
export interface NetcodeServerSink {
  /** A client proved its token and its address. Answer with `accept` or `refuse`, now or later. */
  admit(connection: number): void;
  connect(connection: number): void;
  /** `length` bytes at `bytes[offset ..]`, borrowed until the next receive. `receivedNumber[0]` is the packet number. */
  payload(connection: number, bytes: Uint8Array, offset: number, length: number, now: Micros): void;
  /**
   * The client's address is another one from here on (`addressOf`). When the host part changed too, what was learned about
   * the path is worth nothing any more; when only the port did, a NAT has forgotten the old one. A good moment for `issueId`.
   */
  path(connection: number, hostChanged: boolean): void;
  /**
   * The client of a connection has come back with another token, and goes on. From here on packets are numbered from the
   * start in both directions, and what was on its way is lost; ids that were issued are void.
   */
  resume(connection: number): void;
  /** The end of every connection that `admit` named, whether it was accepted or not. */
  disconnect(connection: number, reason: DisconnectReason): void;
}

/** What a client tells, in order. */
export interface NetcodeClientSink {
  /** The server took us in as connection `index` of at most `maxClients`. */
  connect(index: number, maxClients: number): void;
  /** `length` bytes at `bytes[offset ..]`, borrowed until the next receive. `receivedNumber[0]` is the packet number. */
  payload(bytes: Uint8Array, offset: number, length: number, now: Micros): void;
  /** The server sees us at another address from here on, and, with `hostChanged`, at another host: at the end of another path. */
  path(hostChanged: boolean): void;
  /** The end of every `connect()` call, whether it came to a connection or not. */
  disconnect(reason: DisconnectReason): void;
}
