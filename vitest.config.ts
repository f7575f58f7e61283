import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    pool: 'forks',
    maxWorkers: 2,
    // Some tests start a Temporal server or train a small model, on machines of two cores.
    testTimeout: 300_000,
    hookTimeout: 300_000,
    // What one test computed must not pass for what another should.
    env: { TF_CPP_MIN_LOG_LEVEL: '2', DATAENGINE_PICTURE_CACHE: 'off' },
  },
});
