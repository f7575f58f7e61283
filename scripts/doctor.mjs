#!/usr/bin/env node
/**
 * `dataengine doctor`: checks what this machine has, by using it. Needs only Node, so that it also says what is missing
 * before anything is installed. A Node that is too old could not read the checks: it is told so, and nothing else.
 */
import { isNodeNewEnough, nodeRemedy } from './setup/versions.mjs';

if (isNodeNewEnough()) {
  import('./doctor/examine.mjs');
} else {
  console.log(`bad Node  ${process.versions.node} (${process.platform} ${process.arch}): ${nodeRemedy}`);
  process.exitCode = 1;
}
