import { defineConfig } from 'vitest/config';

/** Whole runs under faults, a minute or more each: `npm run test:all`, and every change before it lands. */
const longTests = process.env.DATAENGINE_LONG_TESTS === '1' ? [] : ['test/**/*.long.test.ts'];

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: longTests,
    globalSetup: 'test/helpers/worker-settings.ts',
    pool: 'forks',
    maxWorkers: 2,
    // Some tests start a Temporal server or train a small model, on machines of two cores.
    testTimeout: 300_000,
    hookTimeout: 300_000,
    // What one test computed must not pass for what another should.
    env: { TF_CPP_MIN_LOG_LEVEL: '2', DATAENGINE_IMAGE_CACHE: 'off' },
  },
});
