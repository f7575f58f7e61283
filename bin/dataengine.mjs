#!/usr/bin/env node
// Runs the TypeScript command with no build step.
import { register } from 'tsx/esm/api';

register();
await import('../cli/main.ts');
