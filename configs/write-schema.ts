import { writeJson } from '../store/write-file.ts';
import { configJsonSchema } from './schema.ts';

await writeJson(new URL('schema.json', import.meta.url).pathname, configJsonSchema());
