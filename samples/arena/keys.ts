/**
 * Keys of a terminal as buttons that are held. A terminal tells only that a key was typed, and repeats it while it is
 * down, so a key counts as held until its repeats have stopped for a while.
 */

import { emitKeypressEvents, type Key } from 'node:readline';
import type { ReadStream } from 'node:tty';
import { CHAT_CHARACTERS_MAX } from './protocol.ts';
import type { Input } from './world.ts';

/** Longer than the pause before the first repeat on most terminals would feel sticky; this is a compromise. */
const HELD_MILLIS = 160;

type Button = 'up' | 'down' | 'left' | 'right' | 'fire';

const BUTTONS: Readonly<Record<string, Button>> = {
  up: 'up',
  w: 'up',
  down: 'down',
  s: 'down',
  left: 'left',
  a: 'left',
  right: 'right',
  d: 'right',
  space: 'fire',
};

export class Keys {
  onQuit: () => void = () => {};
  /** A line of chat has been written. */
  onLine: (line: string) => void = () => {};
  /** The line of chat that is being written; null: keys move the player. */
  line: string | null = null;
  readonly #stdin: ReadStream;
  readonly #pressedAt: Record<Button, number> = { up: -1e9, down: -1e9, left: -1e9, right: -1e9, fire: -1e9 };
  readonly #listener: (text: string | undefined, key: Key) => void;
  #aimX = 127;
  #aimY = 0;

  constructor(stdin: ReadStream) {
    this.#stdin = stdin;
    this.#listener = (text, key) => {
      if (this.line === null) this.#press(key);
      else this.#type(text ?? '', key);
    };
    emitKeypressEvents(stdin);
    if (stdin.isTTY) stdin.setRawMode(true);
    stdin.on('keypress', this.#listener).resume();
  }

  /** Writes the state of the buttons into `input`; the aim is the last direction walked. */
  apply(input: Input): void {
    const now = performance.now();
    for (const button of ['up', 'down', 'left', 'right', 'fire'] as const) {
      input[button] = now - this.#pressedAt[button] < HELD_MILLIS;
    }
    const x = Number(input.right) - Number(input.left);
    const y = Number(input.down) - Number(input.up);
    if (x !== 0 || y !== 0) {
      this.#aimX = x * 127;
      this.#aimY = y * 127;
    }
    input.aimX = this.#aimX;
    input.aimY = this.#aimY;
  }

  close(): void {
    this.#stdin.off('keypress', this.#listener).pause();
    if (this.#stdin.isTTY) this.#stdin.setRawMode(false);
  }

  #press(key: Key): void {
    if (key.name === 'q' || key.name === 'escape' || (key.ctrl && key.name === 'c')) {
      this.onQuit();
      return;
    }
    if (key.name === 't') this.line = '';
    const button = BUTTONS[key.name ?? ''];
    if (button !== undefined) this.#pressedAt[button] = performance.now();
  }

  #type(text: string, key: Key): void {
    const line = this.line!;
    if (key.ctrl && key.name === 'c') this.onQuit();
    else if (key.name === 'escape') this.line = null;
    else if (key.name === 'return' || key.name === 'enter') {
      this.line = null;
      if (line !== '') this.onLine(line);
    } else if (key.name === 'backspace') this.line = line.slice(0, -1);
    else if (!key.ctrl && !key.meta && text >= ' ') this.line = (line + text).slice(0, CHAT_CHARACTERS_MAX);
  }
}
