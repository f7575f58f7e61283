import { join } from 'node:path';
import type { z } from 'zod';
import { projectFile } from '../../src/core/files.ts';
import { type workerSettingsSchema, workerSettingsVariable } from '../../src/core/worker-settings.ts';
import { writeJson } from '../../src/core/write-file.ts';
import { bucket } from './s3-server.ts';

/**
 * Lets a worker touch what lies in a folder, and the store of tests. Written into the folder as `worker.yaml`.
 *
 * @param also further folders whose configs and data the worker may read
 * @returns the environment variable that the worker takes
 */
export async function accessTo(folder: string, also: string[] = []): Promise<Record<string, string>> {
  const file = join(folder, 'worker.yaml');
  const settings: z.input<typeof workerSettingsSchema> = {
    configs: [folder, projectFile('configs'), ...also],
    data: [folder, ...also],
    models: [folder, projectFile('.'), ...also],
    runs: [join(folder, 'runs')],
    cache: join(folder, 'cache'),
    stores: [`s3://${bucket}`],
  };
  // JSON is YAML.
  await writeJson(file, settings);
  return { [workerSettingsVariable]: file };
}
