/**
 * The part of vitest that the suites use: describe, it, test, skip, skipIf, each, and vitest's own `expect`. One test after another;
 * a line for each that fails or is skipped. Writes with writeSync: a Windows Node under Wine cannot write to pipes.
 */

import { writeSync } from 'node:fs';
import { format, inspect } from 'node:util';
import {
  chai,
  customMatchers,
  GLOBAL_EXPECT,
  JestAsymmetricMatchers,
  JestChaiExpect,
  JestExtend,
} from '@vitest/expect';

const TEST_MILLIS_MAX = 60_000;
const tests = [];
const path = [];

chai.use(JestExtend);
chai.use(JestChaiExpect);
chai.use(JestAsymmetricMatchers);
globalThis[GLOBAL_EXPECT] = chai.expect;
chai.expect.extend(chai.expect, customMatchers);
export const { expect } = chai;

const nameOf = (name, row) => format(name, ...(Array.isArray(row) ? row : [row]));
const spread = (row, body) => () => body(...(Array.isArray(row) ? row : [row]));

export function describe(name, body) {
  path.push(name);
  body();
  path.pop();
}
describe.each = (rows) => (name, body) => {
  for (const row of rows) describe(nameOf(name, row), spread(row, body));
};

export function it(name, body) {
  tests.push({ name: [...path, name].join(' > '), body, skipped: false });
}
it.each = (rows) => (name, body) => {
  for (const row of rows) it(nameOf(name, row), spread(row, body));
};
it.skipIf = (condition) => (name, body) => {
  it(name, body);
  tests.at(-1).skipped = Boolean(condition);
};

describe.skipIf = (condition) => (name, body) => {
  if (!condition) describe(name, body);
};
describe.skip = () => {};
export const test = it;

/** Runs what was declared and returns the exit code. */
export async function runAll() {
  let passed = 0;
  let failed = 0;
  let skipped = 0;
  for (const { name, body, skipped: skip } of tests) {
    if (skip) {
      skipped++;
      say(`skip  ${name}`);
      continue;
    }
    let timer;
    const late = new Promise((_, reject) => {
      timer = setTimeout(() => reject(new Error(`not done after ${TEST_MILLIS_MAX} ms`)), TEST_MILLIS_MAX);
    });
    try {
      await Promise.race([body(), late]);
      passed++;
    } catch (error) {
      failed++;
      say(`FAIL  ${name}\n${inspect(error)}`);
    }
    clearTimeout(timer);
  }
  say(`${passed} passed, ${failed} failed, ${skipped} skipped`);
  return failed === 0 && passed > 0 ? 0 : 1;
}

function say(text) {
  writeSync(1, `${text}\n`);
}
