import { defineConfig } from 'vitest/config';

/**
 * One suite, two projects: `unit` is everything that needs no installed package and no second
 * process for long; `package` packs the repository and installs the result, which takes seconds.
 */
export default defineConfig({
  test: {
    watch: false,
    testTimeout: 20_000,
    projects: [
      {
        extends: true,
        test: { name: 'unit', include: ['test/**/*.test.ts'], exclude: ['test/package/**'] },
      },
      {
        extends: true,
        test: { name: 'package', include: ['test/package/**/*.test.ts'], testTimeout: 240_000, hookTimeout: 240_000 },
      },
    ],
  },
});
