import { defineConfig } from 'vitest/config';

/**
 * One suite, three projects: `unit` is everything that needs no installed package and no second
 * process for long; `integration` needs Kafka, Elasticsearch and Redis, which test/engines brings;
 * `package` packs the repository and installs the result, which takes seconds.
 */
export default defineConfig({
  test: {
    watch: false,
    // Limits are for what hangs: others may use the same machine.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: ['test/integration/**', 'test/package/**'],
        },
      },
      {
        extends: true,
        test: {
          name: 'integration',
          include: ['test/integration/**/*.test.ts'],
          globalSetup: 'test/engines/global-setup.ts',
          // A client that was cut off may keep its process from ending: forks are ended anyway.
          pool: 'forks',
          testTimeout: 240_000,
          hookTimeout: 240_000,
        },
      },
      {
        extends: true,
        test: { name: 'package', include: ['test/package/**/*.test.ts'], testTimeout: 240_000, hookTimeout: 240_000 },
      },
    ],
  },
});
