import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * What the set-up found, in `.cache/setup.json`. Paths within `.cache` are kept relative to it (`./temporal/temporal`), so
 * that a copied or moved checkout uses its own files.
 */
export function readState(cache) {
  try {
    const fromCache = (_, value) => (isRelative(value) ? join(cache, value) : value);
    return JSON.parse(readFileSync(fileIn(cache), 'utf8'), fromCache);
  } catch {
    return {};
  }
}

/** Writes it, unless the file says the same. */
export function saveState(cache, state) {
  const toCache = (_, value) => (isWithin(cache, value) ? `.${value.slice(cache.length)}` : value);
  const text = `${JSON.stringify(state, toCache, 2)}\n`;
  if (text === readText(fileIn(cache))) return;
  mkdirSync(cache, { recursive: true });
  const temporary = `${fileIn(cache)}.${process.pid}.tmp`;
  writeFileSync(temporary, text);
  renameSync(temporary, fileIn(cache));
}

const fileIn = (cache) => join(cache, 'setup.json');

const isRelative = (value) => typeof value === 'string' && value.startsWith('./');

const isWithin = (cache, value) => typeof value === 'string' && value.startsWith(`${cache}/`);

function readText(file) {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}
