/** What has happened in an endpoint and not yet been told: a queue in typed arrays, emptied by `drain()`. */

import type { Micros } from '../../sys/api.ts';

export const EVENT_ADMIT = 1;
export const EVENT_CONNECT = 2;
export const EVENT_PAYLOAD = 3;
export const EVENT_DISCONNECT = 4;
/** The peer's address is another one; `length` is 1 when its host is, too. */
export const EVENT_PATH = 5;
/** The peer goes on under another token: the packets that follow are numbered anew. */
export const EVENT_RESUME = 6;

/** Events of one turn. Grows by doubling, at most to the payloads of a batch and five events a connection. */
export class EventQueue {
  /** Events held: 0 .. count - 1 in the columns. */
  count = 0;
  /** Events that `next` has handed out. */
  #told = 0;
  /** Payloads among them; their bytes are borrowed until the next receive. */
  payloads = 0;
  kind: Uint8Array;
  connection: Int32Array;
  /** Where a payload lies in the AEAD's plaintext. */
  offset: Int32Array;
  length: Int32Array;
  /** Packet number of a payload. */
  number: Float64Array;

  constructor(capacity: number) {
    this.kind = new Uint8Array(capacity);
    this.connection = new Int32Array(capacity);
    this.offset = new Int32Array(capacity);
    this.length = new Int32Array(capacity);
    this.number = new Float64Array(capacity);
  }

  /** Appends an event that has no bytes. */
  push(kind: number, connection: number): void {
    if (this.count === this.kind.length) this.#grow();
    const i = this.count++;
    this.kind[i] = kind;
    this.connection[i] = connection;
  }

  /** Appends a payload; the packet number comes in two halves. */
  pushPayload(connection: number, offset: number, length: number, low: number, high: number): void {
    if (this.count === this.kind.length) this.#grow();
    const i = this.count++;
    this.kind[i] = EVENT_PAYLOAD;
    this.connection[i] = connection;
    this.offset[i] = offset;
    this.length[i] = length;
    this.number[i] = (high >>> 0) * 4294967296 + (low >>> 0);
    this.payloads++;
  }

  /** Appends a change of address. */
  pushPath(connection: number, hostChanged: boolean): void {
    this.push(EVENT_PATH, connection);
    this.length[this.count - 1] = hostChanged ? 1 : 0;
  }

  /**
   * The next event to tell, or -1 when all have been told, and then the queue is empty. An event is out of the queue before
   * it is told: a listener that throws does not get it again.
   */
  next(): number {
    if (this.#told === this.count) {
      this.clear();
      return -1;
    }
    const event = this.#told++;
    if (this.kind[event] === EVENT_PAYLOAD) this.payloads--;
    return event;
  }

  /** Forgets all events. */
  clear(): void {
    this.count = 0;
    this.#told = 0;
    this.payloads = 0;
  }

  /** Throws when payloads of an earlier receive still wait: their bytes are about to be overwritten. */
  checkDrained(now: Micros): void {
    if (this.payloads > 0)
      throw new Error(`receive at ${now} us before drain(): ${this.payloads} payloads would be lost`);
  }

  #grow(): void {
    const capacity = this.kind.length * 2;
    const kind = new Uint8Array(capacity);
    const connection = new Int32Array(capacity);
    const offset = new Int32Array(capacity);
    const length = new Int32Array(capacity);
    const number = new Float64Array(capacity);
    kind.set(this.kind);
    connection.set(this.connection);
    offset.set(this.offset);
    length.set(this.length);
    number.set(this.number);
    this.kind = kind;
    this.connection = connection;
    this.offset = offset;
    this.length = length;
    this.number = number;
  }
}
