/**
 * Versions of programs, and whether this Node is new enough. An old Node reads this file to say so: it has no syntax and no
 * import that Node 12 lacks.
 */
import { oldestNode } from './pins.mjs';

/** '1.9.1' from any text that holds a version; or undefined. */
export function versionIn(text) {
  const found = /\d+\.\d+(?:\.\d+)*/.exec(text);
  return found === null ? undefined : found[0];
}

/** Whether a version such as '20.20.2' is at least [20, 19]. */
export function isAtLeast(version, oldest) {
  const parts = version.split('.').map(Number);
  for (let index = 0; index < oldest.length; index += 1) {
    const part = index < parts.length ? parts[index] : 0;
    if (part !== oldest[index]) return part > oldest[index];
  }
  return true;
}

export const nodeRemedy = `install Node ${oldestNode.join('.')} or newer (https://nodejs.org)`;

/** Whether this Node can run this program. */
export function isNodeNewEnough() {
  return isAtLeast(process.versions.node, oldestNode);
}
