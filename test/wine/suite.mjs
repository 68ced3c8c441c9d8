/** Runs built test files with the small runner in `runner.mjs` in place of vitest, whose compiler has no build here. */

import { register } from 'node:module';

register('./hooks.mjs', import.meta.url);
for (const path of process.argv.slice(2)) await import(new URL(path, import.meta.url).href);
const { runAll } = await import('./runner.mjs');
// A test that leaves something open must not hold up the ones behind it.
process.exit(await runAll());
