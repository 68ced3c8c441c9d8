/** What connections need of the sealed session below them, which a server and a client of netcode both are. */

import type { DatagramBatch, Micros } from '../sys/api.ts';

/** What has come of the numbers that the peer used in a session, keep-alives too: columns by connection. */
export interface Arrivals {
  /** Packets that were authentic and new, and of them those that came after one with a higher number. */
  readonly received: Float64Array;
  readonly late: Float64Array;
  /** Numbers between the first one that came and the newest that have not come. */
  readonly missing: Float64Array;
}

/** The half of netcode that carries payloads. */
export interface Session {
  /** Element 0: number of the packet that is being read. */
  readonly receivedNumber: Float64Array;
  /** Element 0: number that `writePayload` or `skipNumber` used last. */
  readonly writtenNumber: Float64Array;
  /** Left out: nobody counts. */
  readonly arrivals?: Arrivals;
  isConnected(connection: number): boolean;
  /** Seals the plaintext at `batch.home(batch.count)`, `batch.length[batch.count]` bytes, and appends it to the batch. */
  writePayload(batch: DatagramBatch, connection: number, now: Micros): boolean;
  /** Uses up one packet number. */
  skipNumber(connection: number): void;
  /** How many ids the connection should be offered; 0 on a client. */
  idsWanted(connection: number): number;
  /** Writes a fresh id of 8 bytes at `into[at ..]`; false: no more now. */
  issueId(connection: number, into: Uint8Array, at: number): boolean;
  /** Keeps an id that the peer offered; a server keeps none. */
  storeId(bytes: Uint8Array, at: number): void;
}
