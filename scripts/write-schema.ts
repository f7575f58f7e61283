/**
 * Writes what is generated from the code: the JSON Schema of configs, its page, the page of a worker's settings, and the
 * tables of steps and fields in the docs.
 */
import { readdir, readFile } from 'node:fs/promises';
import { configurationPage, workerSettingsPage } from '../src/config/describe-schema.ts';
import { configJsonSchema } from '../src/config/schema.ts';
import { projectFile } from '../src/core/files.ts';
import { writeFileAtomically, writeJson } from '../src/core/write-file.ts';
import { withFieldTables } from '../src/round/describe-formats.ts';
import { withStepsTable } from '../src/round/describe-steps.ts';

await writeJson(projectFile('configs/schema.json'), configJsonSchema());
await writeFileAtomically(projectFile('docs/configuration.md'), configurationPage());
await writeFileAtomically(projectFile('docs/worker-settings.md'), workerSettingsPage());
const pages = (await readdir(projectFile('docs'))).filter((name) => name.endsWith('.md')).map((name) => `docs/${name}`);
for (const name of ['README.md', ...pages]) {
  const page = await readFile(projectFile(name), 'utf8');
  const current = withFieldTables(withStepsTable(page));
  if (current !== page) await writeFileAtomically(projectFile(name), current);
}
