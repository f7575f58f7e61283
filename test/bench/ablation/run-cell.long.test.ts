/** Every arm of the experiment goes from its data to its line, in a world much smaller than that of docs/experiment.md. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { findMix, type Line } from '../../../bench/ablation/lines.ts';
import { type Cell, cellsOf } from '../../../bench/ablation/plan.ts';
import { runCell } from '../../../bench/ablation/run-cell.ts';
import { projectFile } from '../../../src/core/files.ts';
import { temporaryFolder } from '../../helpers/temporary-folder.ts';

test('runs what the pilot chooses among, and all arms of a confirmation', async () => {
  const work = await temporaryFolder();
  const config = join(work, 'small.yaml');
  await writeFile(
    config,
    `extends: ${projectFile('configs/demo.yaml')}
rounds: 1
data: { scenes: { trainImages: 60, validationImages: 12, testImages: 12 } }
sampling: { requests: 30 }
finetune: { learningRate: { warmupSteps: 1 } }
`,
  );
  const pilot = cellsOf('demo', 1, undefined).filter(({ arm }) =>
    ['uniform', 'expectedGain', 'highLoss'].includes(arm),
  );
  const cells: Cell[] = [...pilot, ...cellsOf('demo', 11, 'difficultyWindow')];
  const lines: Line[] = [];
  for (const cell of cells) lines.push(await runCell(cell, { config, steps: 6, work }, 'experiment-0'));

  expect(findMix(lines)).toBeUndefined();
  const of = (arm: Line['arm'], share: Line['share'] = 'whole') =>
    lines.find((line) => line.seed === 11 && line.arm === arm && line.share === share) as Line;
  expect(of('noNewData')).toMatchObject({ samples: 0, teacherTokens: { prompt: 0, completion: 0 } });
  const tokens = ({ teacherTokens: { prompt, completion } }: Line) => prompt + completion;
  expect(tokens(of('uniform', 'third'))).toBeLessThan(tokens(of('uniform', 'half')));
  expect(tokens(of('uniform', 'half'))).toBeLessThan(tokens(of('uniform')));
  expect(tokens(of('difficultyWindow'))).toBeGreaterThan(2 * tokens(of('uniform')));
  expect(of('sftDpo')).toMatchObject({ on: 'difficultyWindow', teacherTokens: of('difficultyWindow').teacherTokens });
  const curve = await readFile(join(work, 'runs/demo-11-sftDpo-whole/round-1/finetune/loss.jsonl'), 'utf8');
  expect(curve.trim().split('\n')).toHaveLength(6);
}, 1_800_000);
