/**
 * Paths that swallow large packets: every packet above some size is lost, while smaller ones arrive.
 *
 * 1,200 bytes of payload are the floor of what we send, and every path is meant to carry it; some tunnels do not, and tell nobody.
 * Nothing can be done below the floor, but it can be said (the idea of RFC 8899 4.3, without the search for a larger size).
 *
 * A suspicion begins with a lost packet. It ends when one of that size or larger arrives, or one is lost that is no larger
 * than one that arrived meanwhile. It is a finding once ten packets are lost and ten smaller ones have arrived under it:
 * with 30 % of packets lost by chance, mixed sizes keep up such a run once in 10^5 losses.
 */

const LOST_MIN = 10;
const ARRIVED_MIN = 10;

export class BlackHoles {
  /** Smallest size that is being swallowed, in bytes of the packet as sent; 0: no finding. */
  readonly bytes: Uint16Array;
  readonly #smallestLost: Uint16Array;
  readonly #largestArrived: Uint16Array;
  readonly #lost: Uint8Array;
  readonly #arrived: Uint8Array;

  constructor(connections: number) {
    this.bytes = new Uint16Array(connections);
    this.#smallestLost = new Uint16Array(connections);
    this.#largestArrived = new Uint16Array(connections);
    this.#lost = new Uint8Array(connections);
    this.#arrived = new Uint8Array(connections);
  }

  reset(c: number): void {
    this.bytes[c] = 0;
    this.#end(c);
  }

  onAcked(c: number, bytes: number): void {
    if (bytes >= this.bytes[c]!) this.bytes[c] = 0; // the finding is void: such packets arrive
    if (this.#lost[c] === 0) return;
    if (bytes >= this.#smallestLost[c]!) {
      this.#end(c);
      return;
    }
    if (bytes > this.#largestArrived[c]!) this.#largestArrived[c] = bytes;
    if (this.#arrived[c]! < ARRIVED_MIN) this.#arrived[c]!++;
  }

  /** @returns whether this loss makes it a finding */
  onLost(c: number, bytes: number): boolean {
    if (this.#lost[c]! > 0 && bytes <= this.#largestArrived[c]!) this.#end(c);
    if (this.#lost[c] === 0 || bytes < this.#smallestLost[c]!) this.#smallestLost[c] = bytes;
    if (this.#lost[c]! < LOST_MIN) this.#lost[c]!++;
    if (this.bytes[c] !== 0 || this.#lost[c]! < LOST_MIN || this.#arrived[c]! < ARRIVED_MIN) return false;
    this.bytes[c] = this.#smallestLost[c]!;
    return true;
  }

  #end(c: number): void {
    this.#lost[c] = 0;
    this.#arrived[c] = 0;
    this.#largestArrived[c] = 0;
  }
}
