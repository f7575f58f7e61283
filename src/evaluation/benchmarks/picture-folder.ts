import { InputError } from '../../core/input-error.ts';
import type { BenchmarkSource } from './benchmark.ts';

/**
 * The folder of the pictures of a benchmark whose file does not hold them.
 *
 * @throws InputError when none is named
 */
export function requirePictureFolder({ file, pictures }: BenchmarkSource): string {
  if (pictures !== undefined) return pictures;
  throw new InputError({
    file,
    problem: 'says nothing of where its pictures are',
    remedy: 'Name their folder too',
  });
}
