/**
 * Reads the text of a filter into an `Expression`.
 *
 * ```
 * expression = term { ("and" | "or") term }         equal precedence, from the left, as in tcpdump
 * term       = "not" term | "(" expression ")" | question | value    a value alone repeats the last kind of question
 * question   = [protocol] [direction] [kind] (value | "(" values ")")
 * ```
 *
 * Each error says where it is and what to write.
 */

import type { Expression, Question } from './expression.ts';
import { FilterError, type Place } from './filter-error.ts';
import { type Token, tokensOf } from './lexer.ts';
import { type Qualifiers, QuestionReader } from './question-reader.ts';

/** Parentheses and `not` within each other: deeper than any filter, shallower than the stack. */
const DEPTH_MAX = 100;

/** @throws FilterError */
export function parseFilter(text: string): Expression {
  return new Parser(text).parse();
}

class Parser {
  private readonly text: string;
  private readonly tokens: readonly Token[];
  private readonly questions: QuestionReader;
  private next = 0;
  private depth = 0;
  private vlans = 0;
  /** What a value alone would be. */
  private last: Qualifiers | null = null;

  constructor(text: string) {
    this.text = text;
    this.tokens = tokensOf(text);
    this.questions = new QuestionReader(text);
  }

  parse(): Expression {
    const expression = this.expression();
    const token = this.peek();
    if (token.kind === ')')
      throw this.error(token, "this ')' closes nothing", "take it away, or write '(' before what it closes");
    if (token.kind !== 'end')
      throw this.error(token, `'${token.text}' follows without a link`, "write 'and' or 'or' before it");
    return expression;
  }

  private expression(): Expression {
    let left = this.term();
    for (;;) {
      const { kind } = this.peek();
      if (kind !== 'and' && kind !== 'or') return left;
      this.next++;
      left = { kind, left, right: this.term() };
    }
  }

  private term(): Expression {
    const token = this.peek();
    if (++this.depth > DEPTH_MAX)
      throw this.error(token, `more than ${DEPTH_MAX} levels`, 'write it with fewer parentheses');
    let found: Expression;
    if (token.kind === 'not') {
      this.next++;
      found = { kind: 'not', of: this.term() };
    } else if (token.kind === '(') {
      this.next++;
      found = this.expression();
      this.close(token);
    } else {
      found = this.question();
    }
    this.depth--;
    return found;
  }

  private question(): Expression {
    const token = this.peek();
    if (token.kind !== 'word') {
      const where = token.kind === 'end' ? 'the filter ends' : `'${token.text}' stands`;
      throw this.error(
        token,
        `${where} where a question is expected`,
        "ask something: 'udp', 'port 40000', 'host 10.0.0.1'",
      );
    }
    const start = this.next;
    const read = this.questions.read(this.tokens, start, this.last);
    this.next = read.next;
    this.last = read.qualifiers;
    if (read.question !== null) return this.ask(read.question, this.placeFrom(start));
    // A value, or several in parentheses, of one kind of question.
    return this.values(read.qualifiers!, start);
  }

  private values(qualifiers: Qualifiers, start: number): Expression {
    const open = this.peek();
    if (open.kind !== '(') return this.value(qualifiers, start);
    this.next++;
    let left = this.value(qualifiers, this.next);
    for (;;) {
      const { kind } = this.peek();
      if (kind !== 'and' && kind !== 'or') break;
      this.next++;
      left = { kind, left, right: this.value(qualifiers, this.next) };
    }
    this.close(open);
    return left;
  }

  private value(qualifiers: Qualifiers, start: number): Expression {
    if (this.peek().kind === 'not') {
      this.next++;
      return { kind: 'not', of: this.value(qualifiers, start) };
    }
    const read = this.questions.readValue(this.tokens, this.next, qualifiers);
    this.next = read.next;
    return this.ask(read.question, this.placeFrom(start));
  }

  private ask(question: Question, place: Place): Expression {
    const { vlans } = this;
    if (question.kind === 'vlan') this.vlans++;
    return { kind: 'question', question, vlans, place };
  }

  private close(open: Token): void {
    if (this.peek().kind !== ')') throw this.error(open, "this '(' is not closed", "write ')' after what it opens");
    this.next++;
  }

  private peek(): Token {
    return this.tokens[this.next]!;
  }

  /** From token `start` to the last that was read. */
  private placeFrom(start: number): Place {
    const first = this.tokens[start]!;
    const last = this.tokens[Math.max(start, this.next - 1)]!;
    return { at: first.at, length: last.at + last.length - first.at };
  }

  private error(place: Place, complaint: string, remedy: string): FilterError {
    return new FilterError(this.text, place, complaint, remedy);
  }
}
