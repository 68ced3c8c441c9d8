/**
 * How long things last that a timeline began: of those that overlap at one place, the one that ends last counts.
 */

/** What goes on, by a name of its own. */
export class Spells {
  readonly #until: Map<string, number> = new Map();

  /** It goes on up to `until` at least; Infinity: until it is ended. */
  extend(name: string, until: number): void {
    this.#until.set(name, Math.max(until, this.#until.get(name) ?? 0));
  }

  /** Whether nothing keeps it going at `time` any more. */
  isOver(name: string, time: number): boolean {
    return (this.#until.get(name) ?? 0) <= time;
  }

  /** It is ended, whatever was said of it. */
  end(name: string): void {
    this.#until.delete(name);
  }
}
