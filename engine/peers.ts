/** The peers of a server: by connection number, and the connected ones in a list. */

import type { Channels } from './channel-types.ts';
import type { Peer } from './peer.ts';

export class Peers<C extends Channels> {
  /** The connected ones, in no order. */
  readonly connected: Peer<C>[] = [];
  /** By connection number; present from `admit` to `disconnect`. */
  readonly #byConnection: (Peer<C> | undefined)[];
  /** Where each stands in `connected`. */
  readonly #position: Int32Array;

  constructor(connections: number) {
    this.#byConnection = new Array<Peer<C> | undefined>(connections).fill(undefined);
    this.#position = new Int32Array(connections);
  }

  at(connection: number): Peer<C> | undefined {
    return this.#byConnection[connection];
  }

  /** A peer has come; whether it may stay is not decided yet. */
  add(peer: Peer<C>): void {
    this.#byConnection[peer.id] = peer;
  }

  /** It is let in. Returns it. */
  begin(connection: number): Peer<C> {
    const peer = this.#byConnection[connection]!;
    peer.begin();
    this.#position[connection] = this.connected.length;
    this.connected.push(peer);
    return peer;
  }

  /** It has left. Returns it if it had been let in. */
  end(connection: number): Peer<C> | undefined {
    const peer = this.#byConnection[connection];
    this.#byConnection[connection] = undefined;
    if (peer === undefined) return undefined;
    const wasLetIn = peer.connected;
    peer.end();
    if (!wasLetIn) return undefined;
    const last = this.connected.pop()!;
    if (last !== peer) {
      this.connected[this.#position[connection]!] = last;
      this.#position[last.id] = this.#position[connection]!;
    }
    return peer;
  }

  /** Calls `each` for all, also those not let in yet. */
  forEach(each: (peer: Peer<C>) => void): void {
    for (const peer of this.#byConnection) if (peer !== undefined) each(peer);
  }
}
