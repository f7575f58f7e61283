/**
 * Vitest's global set-up: what workers of the tests may touch, written once, and named in the environment, which child
 * processes inherit.
 */
import { rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { workerSettingsVariable } from '../../src/core/worker-settings.ts';

export default function setup(project: TestProject): () => void {
  const file = join(tmpdir(), `dataengine-test-worker-${process.pid}.yaml`);
  const cache = join(tmpdir(), `dataengine-test-cache-${process.pid}`);
  const settings = {
    configs: [tmpdir(), project.config.root],
    data: ['/'],
    runs: [tmpdir()],
    cache,
    stores: ['s3://test-bucket'],
    webhooks: ['TEST_WEBHOOK'],
  };
  // JSON is YAML.
  writeFileSync(file, JSON.stringify(settings));
  project.config.env[workerSettingsVariable] = file;
  return () => {
    for (const path of [file, cache]) rmSync(path, { recursive: true, force: true });
  };
}
