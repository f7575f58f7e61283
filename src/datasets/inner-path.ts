import { isAbsolute, win32 } from 'node:path';
import { z } from 'zod';

/** A file's name as a dataset may give it: inside the folder that it belongs to, never outside. */
export const innerPath = z.string().min(1).refine(staysInside, 'leads out of its folder');

function staysInside(path: string): boolean {
  return !isAbsolute(path) && !win32.isAbsolute(path) && !path.split(/[\\/]/).includes('..') && !path.includes('\0');
}
