import { fileURLToPath } from 'node:url';

/** The file that exports all workflows; workers bundle from it. */
export const workflowsPath = fileURLToPath(new URL('../workflows/index.ts', import.meta.url));
