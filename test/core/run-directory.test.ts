import { describe, expect, it } from 'vitest';
import { InputError } from '../../src/core/input-error.ts';
import { openRunDirectory, roundDirectory, stepDirectory } from '../../src/core/run-directory.ts';

describe('run directory', () => {
  it('has a folder for each round and, in it, one for each step', () => {
    const run = openRunDirectory('runs', 'demo-1');
    expect(run.root).toBe('runs/demo-1');
    expect(roundDirectory(run, 0)).toBe('runs/demo-1/round-0');
    expect(stepDirectory(run, 2, 'finetune')).toBe('runs/demo-1/round-2/finetune');
    expect(stepDirectory(run, 2, 'merge')).toBe('runs/demo-1/round-2/merged');
  });

  it.each(['', '..', '../other', 'a/b', '.hidden', 'a b', 'x'.repeat(129)])('refuses the name %j', (name) => {
    expect(() => openRunDirectory('runs', name)).toThrow(InputError);
  });
});
