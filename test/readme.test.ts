/** The README shows what is there: its snippets are files, its commands are scripts, its links lead somewhere. */

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';

const ROOT = join(import.meta.dirname, '..');
const read = (path: string) => readFileSync(join(ROOT, path), 'utf8');
const PAGES = ['README.md', 'sim/README.md', 'sys/README.md', 'transport/PROTOCOL.md', 'transport/STATE-MACHINE.md'];

it.each(PAGES)('%s shows only code that is a file', (page) => {
  const text = read(page);
  const blocks = [...text.matchAll(/(?:<!-- (\S+) -->\n)?```ts\n([\s\S]*?)```/g)];
  for (const [, path, code] of blocks) {
    expect(path, `a snippet without the comment that names its file:\n${code}`).toBeDefined();
    expect(code).toBe(read(path!));
  }
});

it.each(PAGES)('%s names only commands that exist', (page) => {
  const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };
  const named = [...read(page).matchAll(/npm run (?:--\S+ )?([a-z:]+)/g)].map((match) => match[1]!);
  expect(named.filter((name) => !(name in scripts))).toEqual([]);
});

it.each(PAGES)('%s links only to what is there', (page) => {
  const targets = [...read(page).matchAll(/\]\((?!https?:)([^)#]+)(?:#[^)]*)?\)/g)].map((match) => match[1]!);
  expect(targets.filter((target) => !existsSync(join(ROOT, page, '..', target)))).toEqual([]);
});
