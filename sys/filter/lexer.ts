/** Splits the text of a filter into words, signs and their places. */

import { FilterError, type Place } from './filter-error.ts';

/**
 * Characters of a filter: more than 4,096 instructions have room for, and a bound on what a stranger's text may cost.
 */
export const FILTER_CHARACTERS_MAX = 65_536;

/** `and`, `or` and `not` stand for `&&`, `||` and `!` too; `end` follows the last word. */
export interface Token extends Place {
  readonly kind: 'word' | 'and' | 'or' | 'not' | '(' | ')' | 'end';
  /** In lower case; without the backslash that tcpdump wants before names of protocols. */
  readonly text: string;
}

const SIGNS: Readonly<Record<string, Token['kind']>> = {
  and: 'and',
  '&&': 'and',
  or: 'or',
  '||': 'or',
  not: 'not',
  '!': 'not',
  '(': '(',
  ')': ')',
};

/** @throws FilterError for a sign that is not known, and a text that is too long */
export function tokensOf(text: string): Token[] {
  if (text.length > FILTER_CHARACTERS_MAX) {
    const complaint = `a filter of ${text.length} characters`;
    throw new FilterError(text, { at: 0, length: 1 }, complaint, `write at most ${FILTER_CHARACTERS_MAX}`);
  }
  const tokens: Token[] = [];
  for (const match of text.matchAll(/&&|\|\||[()]|!(?!=)|(\\?[\w.:/-]+)|\S/g)) {
    const [found, word] = match;
    const plain = found.replace(/^\\/, '').toLowerCase();
    const kind = SIGNS[plain] ?? (word === undefined ? null : 'word');
    const token = { text: plain, at: match.index, length: found.length };
    if (kind === null) throw unknownSign(text, token);
    tokens.push({ kind, ...token });
  }
  tokens.push({ kind: 'end', text: '', at: text.length, length: 1 });
  return tokens;
}

function unknownSign(text: string, token: Place & { readonly text: string }): FilterError {
  const arithmetic = /[[\]&|=<>+*^%!]/.test(token.text);
  return new FilterError(
    text,
    token,
    `'${token.text}' means nothing here`,
    arithmetic
      ? 'arithmetic on bytes (ip[8] < 5) is not part of this language; write less, greater or portrange where they serve'
      : 'words are joined by and, or, not and parentheses',
  );
}
