import { InputError } from '../../core/input-error.ts';
import type { BenchmarkSource } from './benchmark.ts';

/**
 * The folder of the images of a benchmark whose file does not hold them.
 *
 * @throws InputError when none is named
 */
export function requireImageFolder({ file, images }: BenchmarkSource): string {
  if (images !== undefined) return images;
  throw new InputError({
    file,
    problem: 'says nothing of where its images are',
    remedy: 'Name their folder too',
  });
}
