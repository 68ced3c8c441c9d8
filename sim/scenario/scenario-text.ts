/**
 * The text of a scenario file: JSON with comments, and problems that name file, line and field.
 *
 *     storm.json:12: link.up.loss: give a probability from 0 to 1, or a percentage such as "5%" (got "5 percent")
 */

import {
  findNodeAtLocation,
  getNodeValue,
  type Node,
  type ParseError,
  parseTree,
  printParseErrorCode,
} from 'jsonc-parser';
import type { z } from 'zod';
import { type ScenarioFields, scenarioSchema } from './scenario-schema.ts';

/** Where in a file, and what is wrong there. */
export interface Problem {
  readonly path: readonly (string | number)[];
  readonly message: string;
}

/** A file that cannot be run: all that is wrong with it, a line each. */
export class ScenarioFileError extends Error {}

/** A scenario holds settings, not data: more is another kind of file. */
const CHARACTERS_MAX = 4 * 1024 * 1024;
/** Of a value that is shown in a message. */
const SHOWN_MAX = 60;
/** A field that is nearly one that a form knows speaks so much against it; 1: any other. */
const MISSPELT = 0.5;
/** More than these are not read by anybody. */
const PROBLEMS_MAX = 50;

/** A file that was read, for what is found out about it later. */
export class ScenarioText {
  readonly fields: ScenarioFields;
  readonly #file: string;
  readonly #text: string;
  readonly #root: Node | undefined;

  /** Throws ScenarioFileError when it is no scenario. */
  constructor(file: string, text: string) {
    this.#file = file;
    this.#text = text;
    if (text.length > CHARACTERS_MAX) throw new ScenarioFileError(`${file}: more than ${CHARACTERS_MAX} characters`);
    const errors: ParseError[] = [];
    this.#root = parseTree(text, errors, { allowTrailingComma: true });
    if (errors.length > 0) throw new ScenarioFileError(this.#syntax(errors[0]!));
    const root = this.#root!;
    const twice = fieldsGivenTwice(root);
    const read = scenarioSchema.safeParse(getNodeValue(root), { reportInput: true });
    if (twice.length > 0 || !read.success)
      this.fail([...twice, ...(read.error?.issues ?? []).flatMap((issue) => problemsOf(issue))]);
    this.fields = read.data!;
  }

  /** Throws ScenarioFileError with a line for each problem. */
  fail(problems: readonly Problem[]): never {
    const lines = problems.map((problem) => ({ line: this.#lineOf(problem.path), text: this.#say(problem) }));
    lines.sort((a, b) => a.line - b.line);
    const texts = [...new Set(lines.map(({ text }) => text))];
    const more = texts.length - PROBLEMS_MAX;
    if (more > 0) texts.splice(PROBLEMS_MAX, more, `${this.#file}: and ${more} more`);
    throw new ScenarioFileError(texts.join('\n'));
  }

  /** `storm.json:12`: where that field stands. */
  at(path: Problem['path']): string {
    return path.length === 0 ? this.#file : `${this.#file}:${this.#lineOf(path)}`;
  }

  #say({ path, message }: Problem): string {
    const node = path.length === 0 ? undefined : findNodeAtLocation(this.#root!, [...path]);
    const scalar = node !== undefined && node.type !== 'object' && node.type !== 'array';
    const got = scalar && !message.startsWith('unknown field') ? ` (got ${shown(node)})` : '';
    const where = path.length === 0 ? '' : `${written(path)}: `;
    return `${this.at(path)}: ${where}${message}${got}`;
  }

  /** The line of the field, or of the nearest that is there around it. */
  #lineOf(path: Problem['path']): number {
    for (let length = path.length; length > 0; length--) {
      const node = findNodeAtLocation(this.#root!, path.slice(0, length));
      const named = node?.parent?.type === 'property' ? node.parent : node;
      if (named !== undefined) return this.#lineAt(named.offset);
    }
    return this.#root === undefined ? 1 : this.#lineAt(this.#root.offset);
  }

  #lineAt(offset: number): number {
    let line = 1;
    for (let at = this.#text.indexOf('\n'); at >= 0 && at < offset; at = this.#text.indexOf('\n', at + 1)) line++;
    return line;
  }

  #syntax({ error, offset }: ParseError): string {
    const what = printParseErrorCode(error)
      .replace(/([a-z])([A-Z])/g, '$1 $2')
      .toLowerCase();
    const line = this.#text.slice(offset).split('\n')[0]!.trim().slice(0, SHOWN_MAX);
    return `${this.#file}:${this.#lineAt(offset)}: no JSON: ${what}${line === '' ? ' at the end of the line' : ` at ${line}`}`;
  }
}

/** What zod says, as problems: of the forms that a value may have, only the one is discussed that was meant. */
function problemsOf(issue: z.core.$ZodIssue, before: Problem['path'] = []): Problem[] {
  const path = [...before, ...(issue.path as (string | number)[])];
  if (issue.code === 'invalid_union' && issue.input !== undefined) {
    const meant = meantForm(issue.errors);
    return meant === null ? [{ path, message: issue.message }] : meant.flatMap((one) => problemsOf(one, path));
  }
  if (issue.code === 'unrecognized_keys') {
    const messages = issue.message.split('\n');
    return issue.keys.map((key, i) => ({ path: [...path, key], message: messages[i]! }));
  }
  const missing = issue.code !== 'custom' && issue.input === undefined;
  return [{ path, message: missing ? `is missing: ${issue.message}` : issue.message }];
}

/**
 * The issues of the form that fits best; null when the value fits none in kind (a number where objects are meant) or in
 * the word by which forms are told apart, and when it fits several as badly.
 */
function meantForm(forms: readonly z.core.$ZodIssue[][]): z.core.$ZodIssue[] | null {
  const weights = forms.map((issues) => {
    const other = issues.some(
      (issue) =>
        (issue.code === 'invalid_value' && issue.values.length === 1) ||
        (issue.path.length === 0 && issue.code !== 'unrecognized_keys'),
    );
    return other ? Number.POSITIVE_INFINITY : issues.reduce((sum, issue) => sum + weightOf(issue), 0);
  });
  const least = Math.min(...weights);
  const first = weights.indexOf(least);
  return least < Number.POSITIVE_INFINITY && weights.lastIndexOf(least) === first ? forms[first]! : null;
}

/** How much an issue speaks against a form: fields that it misses, and fields that it does not know, each; less when misspelt. */
function weightOf(issue: z.core.$ZodIssue): number {
  if (issue.code !== 'unrecognized_keys') return 1;
  return issue.message.split('\n').reduce((sum, line) => sum + (line.includes('do you mean') ? MISSPELT : 1), 0);
}

/** `timeline[2].set.loss` */
function written(path: Problem['path']): string {
  return path.reduce<string>((text, part) => {
    if (typeof part === 'number') return `${text}[${part}]`;
    const plain = /^[A-Za-z_$][\w$-]*$/.test(part) ? part : JSON.stringify(part);
    return text === '' ? plain : `${text}.${plain}`;
  }, '');
}

function shown(node: Node): string {
  const text = JSON.stringify(node.value);
  return text.length > SHOWN_MAX ? `${text.slice(0, SHOWN_MAX)}...` : text;
}

/** JSON takes the last of two fields of one name; here it is a mistake. */
function fieldsGivenTwice(node: Node, path: Problem['path'] = []): Problem[] {
  const children = node.children ?? [];
  if (node.type === 'array') return children.flatMap((child, i) => fieldsGivenTwice(child, [...path, i]));
  if (node.type !== 'object') return [];
  const seen = new Set<string>();
  return children.flatMap(({ children: [key, value] = [] }) => {
    const name = key!.value as string;
    const here = [...path, name];
    const twice = seen.has(name) ? [{ path: here, message: 'is there twice' }] : [];
    seen.add(name);
    return [...twice, ...(value === undefined ? [] : fieldsGivenTwice(value, here))];
  });
}
