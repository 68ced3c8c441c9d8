/** What happened and was said in the arena, as lines for people. */

import type { ArenaEvent, ChatLine } from './protocol.ts';

/** Lines kept. */
const LINES_MAX = 50;
/** What a terminal would obey rather than show; names and lines come from strangers. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is taken out
const CONTROLS = /[\u0000-\u001f\u007f-\u009f]/g;

export class Feed {
  /** The newest last. */
  readonly lines: string[] = [];
  onKill: (killer: number, victim: number) => void = () => {};
  readonly #names: Map<number, string> = new Map();

  take(event: ArenaEvent): void {
    const { kind, player, other } = event;
    if (kind === 'join') {
      this.#names.set(player, event.name.replaceAll(CONTROLS, ''));
      this.#add(`${this.nameOf(player)} came`);
    } else if (kind === 'leave') {
      this.#add(`${this.nameOf(player)} left`);
      this.#names.delete(player);
    } else {
      this.#add(`${this.nameOf(other)} killed ${this.nameOf(player)}`);
      this.onKill(other, player);
    }
  }

  say({ player, text }: ChatLine): void {
    this.#add(`${this.nameOf(player)}: ${text.replaceAll(CONTROLS, '')}`);
  }

  nameOf(player: number): string {
    return this.#names.get(player) ?? `player ${player}`;
  }

  clear(): void {
    this.lines.length = 0;
    this.#names.clear();
  }

  #add(line: string): void {
    this.lines.push(line);
    if (this.lines.length > LINES_MAX) this.lines.shift();
  }
}
