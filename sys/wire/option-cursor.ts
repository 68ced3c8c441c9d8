/**
 * Walks over options as IPv4 (RFC 791 3.1) and TCP (RFC 9293 3.2) write them: a kind, a length that counts both, data.
 *
 * Kind 0 ends the list and kind 1 is padding; both are a single byte and are not shown. IPv6's options and those of
 * neighbour discovery look different.
 */

import { NOTHING } from './header.ts';

const KIND_END = 0;
const KIND_PADDING = 1;
const HEADER_BYTES = 2;

export class OptionCursor {
  /** The option that `next()` moved to: its kind, and where its data starts and ends. */
  kind = 0;
  dataAt = 0;
  dataEnd = 0;
  /** False once an option was found whose length is impossible. What came before it is still right. */
  ok = true;
  private bytes: Uint8Array = NOTHING;
  private at = 0;
  private end = 0;

  /** Puts the cursor before the first option of `bytes[at .. end)`. */
  wrap(bytes: Uint8Array, at: number, end: number): this {
    this.bytes = bytes;
    this.at = at;
    this.end = end;
    this.ok = true;
    return this;
  }

  /** Moves to the next option; false when there is none. Each step consumes a byte or more, so the walk is bounded. */
  next(): boolean {
    while (this.at < this.end) {
      const kind = this.bytes[this.at]!;
      if (kind === KIND_PADDING) {
        this.at++;
        continue;
      }
      if (kind === KIND_END) break;
      const size = this.at + 1 < this.end ? this.bytes[this.at + 1]! : 0;
      if (size < HEADER_BYTES || this.at + size > this.end) {
        this.ok = false;
        break;
      }
      this.kind = kind;
      this.dataAt = this.at + HEADER_BYTES;
      this.dataEnd = this.at + size;
      this.at += size;
      return true;
    }
    this.at = this.end;
    return false;
  }
}
