/**
 * Writes what is generated: the JSON Schema of configs, its page, the page of a worker's settings, the tables of steps and
 * fields in the docs, and the lock of the packages that TensorFlow's addon takes.
 */
import { readdir, readFile } from 'node:fs/promises';
import { configurationPage, workerSettingsPage } from '../src/config/describe-schema.ts';
import { configJsonSchema } from '../src/config/schema.ts';
import { projectFile } from '../src/core/files.ts';
import { writeFileAtomically, writeJson } from '../src/core/write-file.ts';
import { withFieldTables } from '../src/round/describe-formats.ts';
import { withStepsTable } from '../src/round/describe-steps.ts';
import { addonLock, addonPackage, lockOf } from './setup/packages.mjs';

await writeJson(projectFile('configs/schema.json'), configJsonSchema());
const lock = JSON.parse(await readFile(projectFile('package-lock.json'), 'utf8'));
await writeJson(projectFile(addonLock), lockOf(addonPackage, lock));
await writeFileAtomically(projectFile('docs/configuration.md'), configurationPage());
await writeFileAtomically(projectFile('docs/worker-settings.md'), workerSettingsPage());
const pages = (await readdir(projectFile('docs'))).filter((name) => name.endsWith('.md')).map((name) => `docs/${name}`);
for (const name of ['README.md', ...pages]) {
  const page = await readFile(projectFile(name), 'utf8');
  const current = withFieldTables(withStepsTable(page));
  if (current !== page) await writeFileAtomically(projectFile(name), current);
}
