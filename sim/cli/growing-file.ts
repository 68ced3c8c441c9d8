/**
 * A file that is written while something runs: in chunks, under a name for the time being, and renamed when it is whole. So
 * memory does not grow with it, and nobody reads half of one.
 *
 * Synchronous on purpose: while a simulated world runs, Node's loop does not.
 */

import { closeSync, ftruncateSync, openSync, renameSync, rmSync, statSync, writeSync } from 'node:fs';

const CHUNK_BYTES = 1 << 18;

export class GrowingFile {
  readonly #file: string;
  readonly #temporary: string;
  readonly #descriptor: number;
  readonly #chunk: Uint8Array = new Uint8Array(CHUNK_BYTES);
  #used = 0;
  /** Bytes in the file that end where a write ended. */
  #whole = 0;
  #isOpen = true;

  /** Throws what the file system throws, as all methods do. */
  constructor(file: string) {
    // Else that would be found out at the end.
    if (statSync(file, { throwIfNoEntry: false })?.isDirectory() === true) throw new Error('it is a directory');
    this.#file = file;
    this.#temporary = `${file}.${process.pid}.tmp`;
    this.#descriptor = openSync(this.#temporary, 'w');
  }

  write(bytes: Uint8Array): void {
    if (this.#used + bytes.length > CHUNK_BYTES) this.#flush();
    if (bytes.length > CHUNK_BYTES) {
      this.#put(bytes);
      return;
    }
    this.#chunk.set(bytes, this.#used);
    this.#used += bytes.length;
  }

  /** It is whole: gives it its name. */
  finish(): void {
    this.#flush();
    this.#close();
    renameSync(this.#temporary, this.#file);
  }

  /** No more can be written: gives what is there its name, up to the last write that is in it altogether, and returns its bytes. */
  keep(): number {
    ftruncateSync(this.#descriptor, this.#whole);
    this.#close();
    renameSync(this.#temporary, this.#file);
    return this.#whole;
  }

  /** It will not be whole: leaves nothing behind. Without effect after `finish`. */
  abandon(): void {
    if (!this.#isOpen) return;
    this.#close();
    rmSync(this.#temporary, { force: true });
  }

  #flush(): void {
    this.#put(this.#chunk.subarray(0, this.#used));
    this.#used = 0;
  }

  #put(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; ) at += writeSync(this.#descriptor, bytes, at);
    this.#whole += bytes.length;
  }

  #close(): void {
    this.#isOpen = false;
    closeSync(this.#descriptor);
  }
}
