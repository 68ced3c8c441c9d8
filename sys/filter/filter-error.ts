/** What is wrong with the text of a filter, where, and what to write instead. */

/** A run of characters in the text of a filter. */
export interface Place {
  /** Of its first character, from 0. */
  readonly at: number;
  readonly length: number;
}

/** Characters of the text that are shown on either side of the place. */
const CONTEXT_CHARACTERS = 50;

/** Thrown for a filter that cannot be compiled. The message has the text with a caret under the place. */
export class FilterError extends Error {
  override readonly name = 'FilterError';
  readonly at: number;
  readonly length: number;
  /** What is wrong, without the text. */
  readonly complaint: string;
  /** What to do about it. */
  readonly remedy: string;

  constructor(text: string, place: Place, complaint: string, remedy: string) {
    super(`${complaint}\n${pointer(text, place)}\n${remedy}`);
    this.at = place.at;
    this.length = place.length;
    this.complaint = complaint;
    this.remedy = remedy;
  }
}

/** The text around the place, and a line of carets under it. */
function pointer(text: string, { at, length }: Place): string {
  const from = Math.max(0, at - CONTEXT_CHARACTERS);
  const shownLength = Math.min(length, CONTEXT_CHARACTERS);
  const to = Math.min(text.length, at + shownLength + CONTEXT_CHARACTERS);
  const before = from > 0 ? '...' : '';
  const shown = text.slice(from, to).replace(/\s/g, ' ');
  const carets = '^'.repeat(Math.max(1, Math.min(shownLength, to - at)));
  return `  ${before}${shown}${to < text.length ? '...' : ''}\n  ${' '.repeat(before.length + at - from)}${carets}`;
}
