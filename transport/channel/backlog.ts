/**
 * What waits to be sent for the first time, and how much of it may wait for one connection.
 *
 * Transfers and all else are counted apart, each up to the limits: a game that feeds a transfer for as long as `send` takes it would
 * else be refused its real-time messages, as many of them as there are moments at which the transfer has just filled up.
 */

/** What is not bulk, and what is: columns have one entry for each of a connection. */
const CLASSES = 2;

export class Backlog {
  readonly #messagesMax: number;
  readonly #bytesMax: number;
  readonly #messages: Int32Array;
  readonly #bytes: Float64Array;

  /**
   * @param messagesMax that may wait in each class
   * @param bytesMax the same; a single message may be longer when nothing else of its class waits
   */
  constructor(connections: number, messagesMax: number, bytesMax: number) {
    this.#messagesMax = messagesMax;
    this.#bytesMax = bytesMax;
    this.#messages = new Int32Array(connections * CLASSES);
    this.#bytes = new Float64Array(connections * CLASSES);
  }

  /** Messages that wait, of both classes. */
  messagesOf(c: number): number {
    return this.#messages[c * CLASSES]! + this.#messages[c * CLASSES + 1]!;
  }

  /** Bytes that wait, of both classes. */
  bytesOf(c: number): number {
    return this.#bytes[c * CLASSES]! + this.#bytes[c * CLASSES + 1]!;
  }

  /** Whether a message may wait too. @param bulk 1: of a transfer, else 0 */
  takes(c: number, bulk: number, length: number): boolean {
    const at = c * CLASSES + bulk;
    const bytes = this.#bytes[at]!;
    return this.#messages[at]! < this.#messagesMax && (bytes === 0 || bytes + length <= this.#bytesMax);
  }

  /** Whether half of what may wait does not: then who was refused may try again. */
  hasRoom(c: number, bulk: number): boolean {
    const at = c * CLASSES + bulk;
    return this.#messages[at]! <= this.#messagesMax >> 1 && this.#bytes[at]! <= this.#bytesMax / 2;
  }

  add(c: number, bulk: number, length: number): void {
    const at = c * CLASSES + bulk;
    this.#messages[at]!++;
    this.#bytes[at] = this.#bytes[at]! + length;
  }

  remove(c: number, bulk: number, length: number): void {
    const at = c * CLASSES + bulk;
    this.#messages[at]!--;
    this.#bytes[at] = this.#bytes[at]! - length;
  }

  reset(c: number): void {
    this.#messages.fill(0, c * CLASSES, (c + 1) * CLASSES);
    this.#bytes.fill(0, c * CLASSES, (c + 1) * CLASSES);
  }
}
