/**
 * Checks and statistics of a config's data: `dataengine data check` and `dataengine data stats`.
 */

import { resolve } from 'node:path';
import type { Command } from 'commander';
import { InputError } from '../src/core/input-error.ts';
import { valueIn } from '../src/core/records.ts';
import { openRunDirectory } from '../src/core/run-directory.ts';
import { LETTERS } from '../src/datasets/question-text.ts';
import type { DatasetLengths } from '../src/round/data-lengths.ts';
import type { DatasetStats } from '../src/round/data-stats.ts';
import { TrainerError } from '../src/trainer/supervisor/trainer-error.ts';
import { exitCodes } from './failures.ts';
import { addDataRootOption, addRunOptions, loadNamedConfig, type RunOptions } from './options.ts';
import { createProgressDisplay } from './progress-display.ts';
import { tell } from './say.ts';
import { leavesTeacher } from './step-commands.ts';
import { textTable } from './text-table.ts';

const SHOWN_OF_A_FOLDER = 10;

/** Adds the commands that check and count data to `dataengine data`. */
export function addDataCheckCommands(data: Command, signal: AbortSignal): void {
  addDataRootOption(
    data
      .command('check <config>')
      .description(
        'check all that a run needs before it starts: the teacher and its key, prompts, types, the model, and every file and image; report what is missing, cut short or too long',
      ),
  )
    .option('--no-teacher', leavesTeacher)
    .option('--all', `more than ${SHOWN_OF_A_FOLDER} problems of a folder, or samples that are too long`, false)
    .addHelpText('after', '\nExample:\n  dataengine data check configs/minigpt4-7b.yaml --data-root /data')
    .action(async (file: string, options: { dataRoot?: string; all: boolean; teacher: boolean }) => {
      const { config, runName } = await loadNamedConfig(file, options);
      const { checkData, leftOutLine, problemRows } = await import('../src/round/check-data.ts');
      const display = createProgressDisplay();
      const onProgress = (progress: { phase: string; step: number; steps: number }) =>
        display.show('data check', progress);
      const { extensions } = await import('../workers/extensions.ts');
      const run = openRunDirectory(resolve(config.runsDirectory), runName);
      const asksNoTeacher = !options.teacher;
      const check = checkData(config, { signal, onProgress, extensions, run, asksNoTeacher }).finally(() =>
        display.stop(),
      );
      const { problems, images, questions, leftOut, notes } = await check;
      for (const records of leftOut) tell(leftOutLine(records));
      for (const note of notes) tell(note);
      if (problems.length === 0) {
        tell(`The data is complete: ${questions} questions to score, ${images} images.`);
        const { dataLengths } = await import('../src/round/data-lengths.ts');
        await writeLengths(
          () => dataLengths(config, { signal, onProgress }).finally(() => display.stop()),
          options.all,
        );
        return;
      }
      const rows = problemRows(problems, config.data.root, options.all ? Number.POSITIVE_INFINITY : SHOWN_OF_A_FOLDER);
      const table = textTable(['item', 'problem', 'what to do'], rows);
      tell(table);
      const count = problems.length === 1 ? '1 problem' : `${problems.length} problems`;
      tell(`${count}; the data is in ${config.data.root}`);
      process.exitCode = exitCodes.wrongInput;
    });

  addRunOptions(
    data
      .command('stats <config>')
      .description(
        'count samples, question types, lengths and letters of the correct choices, and write a page with samples',
      ),
    "run whose generated data is counted too (default: the config's, or its file name)",
  )
    .option('--page <file>', 'where to write the page of samples (default: <run>/data-samples.html)')
    .option('--json', 'print the figures as JSON, and write no page', false)
    .addHelpText('after', '\nExample:\n  dataengine data stats configs/demo.yaml --json')
    .action(async (file: string, options: RunOptions & { page?: string; json: boolean }) => {
      const { config, runName } = await loadNamedConfig(file, options);
      const run = openRunDirectory(resolve(config.runsDirectory), runName);
      const { leftOutLine } = await import('../src/round/check-data.ts');
      const { dataStats, samplePage } = await import('../src/round/data-stats.ts');
      const { unit, datasets } = await dataStats(config, run);
      if (options.json) {
        const figures = datasets.map(({ examples: _, ...rest }) => rest);
        process.stdout.write(`${JSON.stringify({ unit, datasets: figures }, null, 2)}\n`);
        return;
      }
      tell(`${countTable(datasets, unit)}\n${typeTable(datasets)}`);
      for (const { name, leftOut } of datasets) {
        if (Object.keys(leftOut).length > 0) tell(leftOutLine({ item: name, countsByReason: leftOut }));
      }
      for (const { name, favoredLetter } of datasets) {
        if (favoredLetter === undefined) continue;
        const advice = 'a model can learn to answer with it without looking. Shuffle the choices';
        tell(`${name}: the correct choice is (${favoredLetter}) more often than chance explains; ${advice}.`);
      }
      const { plannedFinetune } = await import('../src/round/finetune/round-mixture.ts');
      const { samples, steps } = await plannedFinetune({ config, run, round: 0 });
      const { batchSize } = config.finetune;
      tell(`Round 0 trains ${steps} steps of ${batchSize} samples, drawn from ${samples}.`);
      const { writeSamplePage } = await import('../src/report/sample-page.ts');
      const page = options.page ?? samplePage(run);
      const shown = datasets.map(({ name, examples }) => ({ name, samples: examples }));
      await writeSamplePage(page, `Samples of ${file}`, shown);
      tell(`Samples ${page}`);
    });
}

/** Writes the spread of tokens, and what is too long. Without a model there is nothing to count by, which is no error. */
async function writeLengths(count: () => Promise<DatasetLengths[]>, all: boolean): Promise<void> {
  let datasets: DatasetLengths[];
  try {
    datasets = await count();
  } catch (error) {
    if (!(error instanceof InputError) && !(error instanceof TrainerError)) throw error;
    tell(`Tokens are not counted: ${error.message}`);
    return;
  }
  const head = ['dataset', 'samples', 'least tokens', 'median', '95 %', 'most', 'too long'];
  const rows = datasets.map(({ name, samples, tokens, tooLong }) => {
    return [name, samples, tokens.least, tokens.median, tokens.p95, tokens.most, tooLong.length];
  });
  tell(textTable(head, rows));
  for (const { name, samples, counted } of datasets) {
    if (counted === samples) continue;
    tell(`${name}: ${counted} of ${samples} samples are counted, drawn at random and the longest.`);
  }
  const found = datasets.flatMap(({ item, tooLong }) => tooLong.map((sample) => ({ item, ...sample })));
  if (found.length === 0) return;
  const shown = found.slice(0, all ? found.length : SHOWN_OF_A_FOLDER);
  const lines = shown.map(({ item, record, tokens, problem }) => [`${item}: ${record}`, tokens, problem]);
  tell(textTable(['too long', 'tokens', 'why'], lines));
  if (shown.length < found.length) tell(`${found.length - shown.length} more: --all lists them`);
  if (found.some(({ isError }) => isError)) process.exitCode = exitCodes.wrongInput;
}

function countTable(datasets: readonly DatasetStats[], unit: string): string {
  const letters = LETTERS.slice(0, Math.max(4, ...datasets.map(({ correctByLetter }) => correctByLetter.length)));
  const head = [
    'dataset',
    'samples',
    'images',
    `mean ${unit}`,
    '95 %',
    'longest',
    `correct choice ${letters.join(' / ')}`,
  ];
  const rows = datasets.map(({ name, samples, images, length, correctByLetter }) => {
    const shares = correctByLetter.map((count) => `${((100 * count) / samples).toFixed(1)} %`);
    return [name, samples, images, length.mean.toFixed(1), length.p95, length.longest, shares.join(' / ') || '–'];
  });
  return textTable(head, rows);
}

function typeTable(datasets: readonly DatasetStats[]): string {
  const types = [...new Set(datasets.flatMap(({ countsByType }) => Object.keys(countsByType)))].sort();
  const rows = types.map((type) => [type, ...datasets.map(({ countsByType }) => valueIn(countsByType, type) ?? 0)]);
  return textTable(['question type', ...datasets.map(({ name }) => name)], rows);
}
