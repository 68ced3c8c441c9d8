/**
 * Clients by how they fare: which of a file's patterns mean them is all that tells clients apart. A rehearsal plays with one
 * of each kind; a proxy, whose clients come and go, knows by its name of which kind a new one is.
 */

import { globMatcher } from './host-glob.ts';

export class ClientKinds {
  /** The first client of each kind, by its number. */
  readonly first: readonly number[];
  readonly #matchers: readonly ((name: string) => boolean)[];
  readonly #kinds: Map<string, number> = new Map();

  /** Of the first `clients` clients. Cost: all patterns for each of them. */
  constructor(globs: readonly string[], clients: number) {
    this.#matchers = [...new Set(globs)].map(globMatcher);
    const first: number[] = [];
    for (let client = 0; client < clients; client++) {
      const signature = this.#signatureOf(`client-${client}`);
      if (this.#kinds.has(signature)) continue;
      this.#kinds.set(signature, first.length);
      first.push(client);
    }
    this.first = first;
  }

  /** The kind of a client, by its name: a place in `first`. One that no earlier client is like fares as the first of all. */
  of(name: string): number {
    return this.#kinds.get(this.#signatureOf(name)) ?? 0;
  }

  #signatureOf(name: string): string {
    let signature = '';
    for (const matches of this.#matchers) signature += matches(name) ? '1' : '0';
    return signature;
  }
}
