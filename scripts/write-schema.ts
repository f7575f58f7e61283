import { fileURLToPath } from 'node:url';
import { configurationPage } from '../src/config/describe-schema.ts';
import { configJsonSchema } from '../src/config/schema.ts';
import { writeFileAtomically, writeJson } from '../src/core/write-file.ts';

await writeJson(fileURLToPath(new URL('../configs/schema.json', import.meta.url)), configJsonSchema());
await writeFileAtomically(fileURLToPath(new URL('../docs/configuration.md', import.meta.url)), configurationPage());
