import { fileURLToPath } from 'node:url';
import type { ServeSettings } from '../../../src/core/worker-settings.ts';

const program = fileURLToPath(new URL('toy-server-process.ts', import.meta.url));

/** How a worker's settings start the toy server; its model is the text of the model's path. */
export function toyCommand(delay = 0): ServeSettings {
  return {
    command: [process.execPath, '--import', 'tsx', program, '{port}', 'toy', String(delay), '{model}'],
    readySeconds: 60,
  };
}
