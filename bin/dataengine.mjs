#!/usr/bin/env node
// Runs the TypeScript command with no build step. Before anything is installed it can say what is missing, and install it; on a
// Node that is too old, which could not read the rest, it says that.
import { isNodeNewEnough, nodeRemedy } from '../scripts/setup/versions.mjs';

if (isNodeNewEnough()) {
  import('./start.mjs');
} else if (process.argv[2] === 'doctor') {
  import('../scripts/doctor.mjs');
} else {
  console.error(`This is Node ${process.versions.node}: ${nodeRemedy}.`);
  process.exitCode = 1;
}
