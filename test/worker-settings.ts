/** What workers of the tests may touch: written once, and named in the environment, which child processes inherit. */
import { writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { workerSettingsVariable } from '../src/core/worker-settings.ts';

export default function setup(project: TestProject): void {
  const file = join(tmpdir(), `dataengine-test-worker-${process.pid}.yaml`);
  const settings = {
    configs: [tmpdir(), project.config.root],
    data: ['/'],
    runs: [tmpdir()],
    cache: join(tmpdir(), `dataengine-test-cache-${process.pid}`),
    stores: ['s3://test-bucket'],
    webhooks: ['TEST_WEBHOOK'],
  };
  // JSON is YAML.
  writeFileSync(file, JSON.stringify(settings));
  project.config.env[workerSettingsVariable] = file;
}
