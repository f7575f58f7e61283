/** Which results are taken, and which refused. */
import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { type Line, readLines } from '../../../bench/ablation/lines.ts';
import { type Cell, cellsOf } from '../../../bench/ablation/plan.ts';
import { configOf, hashOfArm } from '../../../bench/ablation/run-cell.ts';
import { runMissing, tagOfCode } from '../../../bench/ablation/run-missing.ts';
import { temporaryFolder } from '../../helpers/temporary-folder.ts';
import { madeUpLine, pilotLines } from './made-up.ts';

async function fileOf(lines: readonly object[]): Promise<string> {
  const file = join(await temporaryFolder(), 'results.jsonl');
  await writeFile(file, lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
  return file;
}

describe('committed lines', () => {
  test('are read, none where there is no file', async () => {
    const lines = pilotLines();
    expect(await readLines(await fileOf(lines))).toEqual(lines);
    expect(await readLines(join(await temporaryFolder(), 'none.jsonl'))).toEqual([]);
  });

  test.each<[string, Partial<Line>, string]>([
    ['of another tag', { tag: 'experiment-2' }, 'tag: is experiment-2, and experiment-1 in an earlier line'],
    ['of another processor within a seed', { processor: 'other' }, 'processor: is other, and a processor'],
    ['of another config of the arm', { configHash: 'x' }, 'configHash: is x, and demo uniform whole'],
    ['of another round 0', { round0: 51 }, 'round0: is 51, and 50'],
    ['that are there twice', { seed: 1 }, 'uniform of seed 1 is there twice'],
    ['of a seed that is neither pilot nor fresh', { seed: 7 }, 'Seed 7 is neither of the pilot'],
    ['without a score', { score: undefined as never }, 'score'],
    ['with a field that nobody knows', { hidden: 1 } as never, 'hidden'],
  ])('%s are refused by line and field', async (_, change, message) => {
    const [cell] = cellsOf('demo', 2, undefined).filter(({ arm }) => arm === 'uniform');
    const lines = [
      ...pilotLines().filter(({ seed, arm }) => seed !== 2 || arm !== 'uniform'),
      { ...madeUpLine(cell as Cell, 70), ...change },
    ];
    const failure = await readLines(await fileOf(lines)).catch((error: Error) => error);
    expect(failure).toMatchObject({ name: 'InputError', line: lines.length });
    expect((failure as Error).message).toContain(message);
  });
});

describe('a run of the experiment', () => {
  const settings = { tag: 'experiment-1', world: 'demo' as const, seeds: [1, 2] };

  test('runs what has no line yet, and appends each line at once', async () => {
    const done = pilotLines().filter(({ seed, arm }) => seed === 1 && arm !== 'highLoss');
    const file = await fileOf(done);
    const ran: Cell[] = [];
    const run = async (cell: Cell) => {
      if (ran.push(cell) === 4) throw new Error('the machine went down');
      return madeUpLine(cell, 70);
    };
    await expect(runMissing({ ...settings, file, run })).rejects.toThrow('the machine went down');
    expect(await readLines(file)).toHaveLength(done.length + 3);
    const lines = await runMissing({ ...settings, file, run });
    expect(ran.map(({ seed, arm }) => `${seed} ${arm}`).slice(0, 2)).toEqual(['1 highLoss', '2 noNewData']);
    expect(lines).toHaveLength(16);
    expect(await readLines(file)).toEqual(lines);
    const before = await readFile(file, 'utf8');
    await runMissing({ ...settings, file, run: () => Promise.reject(new Error('nothing is left to run')) });
    expect(await readFile(file, 'utf8')).toBe(before);
  });

  test('refuses results of another tag, and a machine that did not run the other arms of the seed', async () => {
    const file = await fileOf(pilotLines().filter(({ seed, arm }) => seed === 1 && arm !== 'uniform'));
    const run = async (cell: Cell) => madeUpLine(cell, 70, { processor: 'another machine' });
    await expect(runMissing({ ...settings, tag: 'experiment-2', file, run })).rejects.toThrow(
      'tag: is experiment-1, and this code is experiment-2',
    );
    const before = await readFile(file, 'utf8');
    await expect(runMissing({ ...settings, file, run })).rejects.toThrow('processor: is another machine');
    expect(await readFile(file, 'utf8')).toBe(before);
  });

  test('confirms only what the whole pilot has chosen', async () => {
    const run = async (cell: Cell) => madeUpLine(cell, 70);
    const some = await fileOf(pilotLines().filter(({ seed }) => seed < 4));
    await expect(runMissing({ ...settings, seeds: [11], file: some, run })).rejects.toThrow('has not chosen one yet');
    const all = await fileOf(pilotLines());
    const lines = await runMissing({ ...settings, seeds: [11], file: all, run });
    expect(new Set(lines.filter(({ seed }) => seed === 11).map(({ arm }) => arm))).toEqual(
      new Set(['noNewData', 'uniform', 'highLoss', 'sftDpo']),
    );
  });
});

test('code without the tag, or changed since, runs no experiment', async () => {
  const folder = await temporaryFolder();
  const results = join(folder, 'results.jsonl');
  const git = (...words: string[]) =>
    promisify(execFile)('git', ['-c', 'user.name=a', '-c', 'user.email=a@b.example', ...words], { cwd: folder });
  await git('init', '-q');
  await writeFile(join(folder, 'code.ts'), '1');
  await git('add', '-A');
  await git('commit', '-qm', 'one');
  await expect(tagOfCode(folder, results)).rejects.toThrow('this commit has no tag experiment-*');
  await git('tag', 'experiment-1');
  expect(await tagOfCode(folder, results)).toBe('experiment-1');
  await writeFile(results, '{}\n');
  expect(await tagOfCode(folder, results)).toBe('experiment-1');
  await writeFile(join(folder, 'code.ts'), '2');
  await expect(tagOfCode(folder, results)).rejects.toThrow('code.ts differs from what was tagged experiment-1');
});

describe('the config of an arm', () => {
  const setting = { config: 'configs/demo.yaml', steps: 650, work: 'work' };
  const whole = (arm: Cell['arm'], seed = 1, world: Cell['world'] = 'demo') =>
    configOf({ world, seed, arm, share: 'whole' }, setting);

  test('has a world of its own for each seed, with as many base questions as the demo', async () => {
    const { data, sampling, finetune } = await whole('difficultyWindow', 3);
    expect(data.scenes).toMatchObject({ seed: 3, trainImages: 10_800 });
    expect(Math.round(10_800 * (data.scenes?.baseShare ?? 0))).toBe(Math.round(3600 * 0.2667));
    expect(data.root).not.toBe((await whole('uniform', 4)).data.root);
    expect(data.root).toBe((await whole('uniform', 3)).data.root);
    expect(sampling).toMatchObject({ strategy: 'difficulty-window', requests: 1500 });
    expect(finetune.stepsPerEpoch).toBe(650);
    expect((await whole('uniform', 21, 'mild')).data.scenes?.baseTypes).toBe('mild');
  });

  test('draws as the chosen arm does, with preference pairs', async () => {
    const cell: Cell = { world: 'demo', seed: 11, arm: 'sftDpo', on: 'highLoss', share: 'whole' };
    const { sampling, finetune } = await configOf(cell, setting);
    expect(sampling.strategy).toBe('high-loss');
    expect(finetune).toMatchObject({ objective: 'sft+dpo', stepsPerEpoch: 650, startFrom: 'previous' });
    const alone = await configOf({ ...cell, arm: 'highLoss', on: undefined }, setting);
    expect(alone.finetune).toEqual({ ...finetune, objective: 'sft' });
  });

  test('asks the test questions without their images too', async () => {
    const { evaluate, data } = await whole('uniform');
    expect(evaluate.benchmarks).toEqual([
      {
        benchmark: 'aokvqa',
        name: 'blind',
        file: data.test?.file,
        images: data.images.test,
        blind: true,
        prompt: 'training',
      },
    ]);
  });

  test('has one hash for all seeds, and another for another arm or world', async () => {
    expect(hashOfArm(await whole('adaptive', 1))).toBe(hashOfArm(await whole('adaptive', 2)));
    expect(hashOfArm(await whole('adaptive'))).not.toBe(hashOfArm(await whole('uniform')));
    expect(hashOfArm(await whole('adaptive', 11, 'mild'))).not.toBe(hashOfArm(await whole('adaptive', 11)));
  });
});
