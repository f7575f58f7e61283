import { fileURLToPath } from 'node:url';
import { writeFileAtomically, writeJson } from '../store/write-file.ts';
import { configurationPage } from './describe-schema.ts';
import { configJsonSchema } from './schema.ts';

await writeJson(fileURLToPath(new URL('schema.json', import.meta.url)), configJsonSchema());
await writeFileAtomically(fileURLToPath(new URL('../docs/configuration.md', import.meta.url)), configurationPage());
