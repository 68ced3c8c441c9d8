/**
 * Messages that arrive together with the news of the connection, kept until the game can listen.
 *
 * `await Client.connect()` goes on only after the turn in which the connection came about, and the server's first
 * messages are often in the same datagrams. They are copied, and delivered in order in a later turn, when the promise has
 * settled and listeners are in place.
 */

import type { Runtime } from './executor/runtime.ts';

/** Messages kept at most; what comes beyond is dropped and counted. A turn's worth of datagrams is 8. */
const HELD_MAX = 1024;

interface Held {
  readonly channel: number;
  readonly bytes: Uint8Array;
  readonly tag: number;
}

/** Takes a message as it came. */
export type Deliver = (channel: number, bytes: Uint8Array, offset: number, length: number, tag: number) => void;

export class HeldMessages {
  /** Messages dropped because too many came before the game could listen. */
  dropped = 0;
  readonly #runtime: Runtime;
  readonly #deliver: Deliver;
  #held: Held[] | null = null;
  #then: (() => void) | null = null;

  constructor(runtime: Runtime, deliver: Deliver) {
    this.#runtime = runtime;
    this.#deliver = deliver;
  }

  /** Whether messages must be given to `add` rather than delivered. */
  get holding(): boolean {
    return this.#held !== null;
  }

  /** Starts to hold, until the first turn after promises have settled. */
  hold(): void {
    if (this.#held !== null) return;
    this.#held = [];
    // A sleep ends in a later turn of the runtime, and promises settle between turns.
    void this.#runtime.sleep(1).then(() => this.#release());
  }

  /** Calls `then` after the held messages have been delivered; at once when none are held. */
  afterwards(then: () => void): void {
    if (this.#held === null) then();
    else this.#then = then;
  }

  /** Keeps a copy of a message. */
  add(channel: number, bytes: Uint8Array, offset: number, length: number, tag: number): void {
    if (this.#held!.length >= HELD_MAX) this.dropped++;
    else this.#held!.push({ channel, bytes: bytes.slice(offset, offset + length), tag });
  }

  #release(): void {
    const held = this.#held!;
    this.#held = null;
    for (const { channel, bytes, tag } of held) this.#deliver(channel, bytes, 0, bytes.length, tag);
    const then = this.#then;
    this.#then = null;
    then?.();
  }
}
