import { describe, expect, it } from 'vitest';
import { InputError } from '../../src/core/input-error.ts';
import { openRunDirectory, roundDirectory } from '../../src/core/run-directory.ts';

describe('run directory', () => {
  it('has a folder for each round', () => {
    const run = openRunDirectory('runs', 'demo-1');
    expect(run.root).toBe('runs/demo-1');
    expect(roundDirectory(run, 0)).toBe('runs/demo-1/round-0');
  });

  it.each(['', '..', '../other', 'a/b', '.hidden', 'a b', 'x'.repeat(129)])('refuses the name %j', (name) => {
    expect(() => openRunDirectory('runs', name)).toThrow(InputError);
  });
});
