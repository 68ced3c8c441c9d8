/**
 * What is needed to speak for a server whose thread is gone, and to hand a session to another one: the keys, the counters and
 * the addresses of its sessions, in memory that another thread can read (`SharedArrayBuffer`). It is the very memory that the
 * server counts in, so it costs nothing while nothing happens.
 *
 * The counters may be read in the middle of a packet: whoever goes on with them leaves `LEAP` numbers out, so that no number
 * is used twice with a key.
 */

import { ADDRESS_BYTES } from '../../sys/api.ts';
import { KEY_BYTES, VERSION_BYTES } from './packets.ts';

/** Numbers that are left out: more than any thread sends between two of its stores. */
export const LEAP: number = 1 << 20;

/** See associatedDataOf. */
const ASSOCIATED_BYTES: number = VERSION_BYTES + 8;
const ROW_BYTES = 4 + 4 + KEY_BYTES * 2 + ADDRESS_BYTES + 1;

export class SessionLedger {
  readonly memory: SharedArrayBuffer;
  readonly rows: number;
  /** Halves of the number that the next packet gets. */
  readonly nextLow: Int32Array;
  readonly nextHigh: Int32Array;
  /** ADDRESS_BYTES a row. */
  readonly address: Uint8Array;
  /** KEY_BYTES a row: what seals, and what opens. Zeros where there is none. */
  readonly sealKey: Uint8Array;
  readonly openKey: Uint8Array;
  /** What the packets of every session are authenticated with. */
  readonly associated: Uint8Array;
  /** 1: the row has a key. */
  readonly held: Uint8Array;

  /** @param memory of a ledger with as many rows, from another thread; else a new one is made */
  constructor(rows: number, memory: SharedArrayBuffer = new SharedArrayBuffer(rows * ROW_BYTES + ASSOCIATED_BYTES)) {
    this.memory = memory;
    this.rows = rows;
    this.nextLow = new Int32Array(memory, 0, rows);
    this.nextHigh = new Int32Array(memory, rows * 4, rows);
    let at = rows * 8;
    const bytes = (each: number): Uint8Array => {
      const column = new Uint8Array(memory, at, rows * each);
      at += rows * each;
      return column;
    };
    this.address = bytes(ADDRESS_BYTES);
    this.sealKey = bytes(KEY_BYTES);
    this.openKey = bytes(KEY_BYTES);
    this.held = bytes(1);
    this.associated = new Uint8Array(memory, at, ASSOCIATED_BYTES);
  }

  hold(row: number, seal: Uint8Array, open: Uint8Array, associated: Uint8Array): void {
    this.sealKey.set(seal.subarray(0, KEY_BYTES), row * KEY_BYTES);
    this.openKey.set(open.subarray(0, KEY_BYTES), row * KEY_BYTES);
    this.associated.set(associated);
    Atomics.store(this.held, row, 1);
  }

  wipe(row: number): void {
    Atomics.store(this.held, row, 0);
    this.sealKey.fill(0, row * KEY_BYTES, (row + 1) * KEY_BYTES);
    this.openKey.fill(0, row * KEY_BYTES, (row + 1) * KEY_BYTES);
  }

  move(from: number, to: number): void {
    for (const keys of [this.sealKey, this.openKey]) {
      keys.copyWithin(to * KEY_BYTES, from * KEY_BYTES, (from + 1) * KEY_BYTES);
    }
    Atomics.store(this.held, to, this.held[from]!);
    this.wipe(from);
  }
}
