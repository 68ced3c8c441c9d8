import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    pool: 'forks',
    // Poller tests block their thread on purpose; two at once on two cores disturb each other's bounds.
    maxWorkers: 2,
    testTimeout: 30_000,
  },
});
