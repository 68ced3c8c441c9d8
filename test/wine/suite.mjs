/** Runs one built test file with the small runner in `runner.mjs` in place of vitest, whose compiler has no build here. */

import { register } from 'node:module';

register('./hooks.mjs', import.meta.url);
await import(new URL(process.argv[2], import.meta.url).href);
const { runAll } = await import('./runner.mjs');
// A test that leaves something open must not hold up the ones behind it.
process.exit(await runAll());
