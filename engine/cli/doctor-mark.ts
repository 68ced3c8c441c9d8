/** The word at the front of a line of `doctor`. */

/** Colours of a terminal (ECMA-48, SGR). */
export const RED = 31;
export const GREEN = 32;
export const YELLOW = 33;

const MARK_WIDTH = 7;

/** `word`, padded, in a colour where the terminal shows them. */
export function mark(word: string, colourCode: number, colour: boolean): string {
  const padded = word.padEnd(MARK_WIDTH);
  return colour ? `\u001b[${colourCode}m${padded}\u001b[0m` : padded;
}
