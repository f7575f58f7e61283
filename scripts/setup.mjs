#!/usr/bin/env node
/**
 * Prepares this checkout: installs npm packages, the Temporal CLI, native TensorFlow and its addon. Needs only
 * Node, and says so to one that is too old. Skips what is installed already, so it may run before every command.
 *
 *   node scripts/setup.mjs          TensorFlow for the CPU (or, after --gpu once, still for the GPU)
 *   node scripts/setup.mjs --gpu    TensorFlow for CUDA 12, with CUDA's libraries from PyPI
 *   node scripts/setup.mjs --cpu    back to the CPU
 *   node scripts/setup.mjs --python  also a Python environment, for checkpoints that only Python reads
 *   node scripts/setup.mjs --torch   also a Python environment for the trainer torchrun
 *   node scripts/setup.mjs --deepspeed  also that environment, with DeepSpeed in it
 *   node scripts/setup.mjs --s3-server  also a server that speaks S3, for tests
 */
import { isNodeNewEnough, nodeRemedy } from './setup/versions.mjs';

if (isNodeNewEnough()) {
  import('./setup/install.mjs');
} else {
  console.error(`Set-up failed: this is Node ${process.versions.node}\n  What to do: ${nodeRemedy}`);
  process.exitCode = 1;
}
