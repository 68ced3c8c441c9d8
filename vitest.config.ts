import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

const source = (path: string) => fileURLToPath(new URL(path, import.meta.url));

export default defineConfig({
  resolve: {
    // Samples import the package by name; tests run them over the sources, not over dist/.
    alias: [
      { find: /^tickwire$/, replacement: source('./engine/index.ts') },
      { find: /^tickwire\/packets$/, replacement: source('./sys/packets.ts') },
      { find: /^tickwire\/(sys|transport|sim)$/, replacement: source('./$1/index.ts') },
    ],
  },
  test: {
    include: ['test/**/*.test.ts'],
    pool: 'forks',
    maxWorkers: 2,
    // Compile at once where V8 would compile beside the program: how a test of allocation ends must not hang on how busy
    // the second core was when a function became hot.
    execArgv: ['--no-concurrent-recompilation'],
    testTimeout: 30_000,
  },
});
