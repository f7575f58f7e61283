import { lstatSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

/**
 * What a file or a folder takes on the disk, in bytes. Links are not followed; what can't be read counts nothing.
 *
 * @param {string} path
 * @returns {number}
 */
export function sizeOf(path) {
  const stats = statsOf(path);
  if (!stats) return 0;
  const own = stats.blocks * 512;
  if (!stats.isDirectory()) return own;
  return entriesOf(path).reduce((sum, name) => sum + sizeOf(join(path, name)), own);
}

/**
 * The size for a person.
 *
 * @param {number} bytes
 * @returns {string} such as `1.5 GB`
 */
export function sizeText(bytes) {
  return bytes >= 1e8 ? `${(bytes / 1e9).toFixed(1)} GB` : `${(bytes / 1e6).toFixed(1)} MB`;
}

function statsOf(path) {
  try {
    return lstatSync(path);
  } catch {
    return undefined;
  }
}

function entriesOf(folder) {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
