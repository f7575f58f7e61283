/**
 * The history of a run's generated data: `dataengine data log`, `diff`, `checkout` and `export`.
 */

import { join, resolve } from 'node:path';
import { type Command, Option } from 'commander';
import type { Config } from '../src/config/schema.ts';
import { printable } from '../src/core/printable.ts';
import { valueIn } from '../src/core/records.ts';
import { openRunDirectory } from '../src/core/run-directory.ts';
import { answerWords, type EngineSample } from '../src/datasets/engine-data.ts';
import { type ExportFormat, exportFormats } from '../src/datasets/export-formats.ts';
import { type DatasetVersion, findVersion, versionHistory } from '../src/datasets/versions.ts';
import { addRunOptions, integer, loadNamedConfig, type RunOptions } from './options.ts';
import { tell } from './say.ts';
import { textTable } from './text-table.ts';

/** Adds the commands about dataset versions to `dataengine data`. */
export function addDataHistoryCommands(data: Command): void {
  addRunOptions(data.command('log <config>').description('list the dataset versions of a run, oldest first'))
    .option('--json', 'the manifests, as JSON lines', false)
    .addHelpText('after', '\nExample:\n  dataengine data log configs/demo.yaml')
    .action(async (file: string, options: RunOptions & { json: boolean }) => {
      const { runRoot } = await openRun(file, options);
      const history = await versionHistory(runRoot);
      const lines = history.map(({ version, ...facts }) => JSON.stringify({ ...facts, ...version }));
      if (options.json) process.stdout.write(lines.map((line) => `${line}\n`).join(''));
      else tell(logTable(history));
    });

  addRunOptions(data.command('diff <config> <before> <after>').description('compare the data at two versions'))
    .option('--samples', 'list the samples too', false)
    .addHelpText('after', '\nExample:\n  dataengine data diff configs/demo.yaml round-1 latest')
    .action(async (file: string, before: string, after: string, options: RunOptions & { samples: boolean }) => {
      const { runRoot } = await openRun(file, options);
      const { compareVersions } = await import('../src/datasets/compare-versions.ts');
      const versions = [await findVersion(runRoot, before), await findVersion(runRoot, after)] as const;
      const { kept, added, removed, addedByType, removedByType } = await compareVersions(runRoot, ...versions);
      const types = [...new Set([...Object.keys(addedByType), ...Object.keys(removedByType)])].sort();
      const rows = types.map((type) => [type, valueIn(addedByType, type) ?? 0, valueIn(removedByType, type) ?? 0]);
      tell(`${kept} kept, ${added.length} added, ${removed.length} removed`);
      if (types.length > 0) tell(textTable(['question type', 'added', 'removed'], rows));
      if (!options.samples) return;
      for (const sample of removed) tell(`- ${sampleLine(sample)}`);
      for (const sample of added) tell(`+ ${sampleLine(sample)}`);
    });

  addRunOptions(
    data.command('checkout <config> <version>').description('write the files of a version, as they were appended'),
  )
    .requiredOption('--output <folder>', 'a folder that does not exist yet')
    .addHelpText('after', '\nExample:\n  dataengine data checkout configs/demo.yaml round-1 --output old-data')
    .action(async (file: string, name: string, options: RunOptions & { output: string }) => {
      const { runRoot } = await openRun(file, options);
      const { checkOutVersion } = await import('../src/datasets/export-version.ts');
      const files = await checkOutVersion(runRoot, await findVersion(runRoot, name), options.output);
      writeFiles(options.output, files);
    });

  addRunOptions(
    data.command('export <config> [version]').description("write all data at a version in another program's format"),
  )
    .addOption(new Option('--format <name>').choices(exportFormats).makeOptionMandatory())
    .requiredOption('--output <folder>', 'a folder that does not exist yet')
    .option('--images', 'parquet: include the images in the files', false)
    .option('--shard-size <MiB>', 'webdataset: the most that an archive may have (default: 1024)', integer(1))
    .addHelpText(
      'after',
      '\nExample:\n  dataengine data export configs/demo.yaml latest --format parquet --output my-dataset',
    )
    .action(
      async (
        file: string,
        name: string | undefined,
        options: RunOptions & { format: ExportFormat; output: string; images: boolean; shardSize?: number },
      ) => {
        const { config, runRoot } = await openRun(file, options);
        const { exportVersion } = await import('../src/datasets/export-version.ts');
        const { poolFolder } = await import('../src/round/dataset-paths.ts');
        const path = config.data.images.train;
        const files = await exportVersion(options.format, {
          runRoot,
          version: await findVersion(runRoot, name ?? 'latest'),
          output: options.output,
          images: { path, folder: poolFolder(config) },
          exif: config.data.exif,
          answerFormat: config.data.format,
          embedImages: options.images,
          shardSize: options.shardSize,
        });
        writeFiles(options.output, files);
      },
    );
}

async function openRun(file: string, options: RunOptions): Promise<{ config: Config; runRoot: string }> {
  const { config, runName } = await loadNamedConfig(file, options);
  return { config, runRoot: openRunDirectory(resolve(config.runsDirectory), runName).root };
}

function logTable(history: Awaited<ReturnType<typeof versionHistory>>): string {
  if (history.length === 0) return 'No version yet: the append step of a round adds one.';
  const head = ['version', 'round', 'appended', 'parent', 'samples', 'rejected', 'teacher', 'prompt', 'tokens', ''];
  const rows = history.map(({ version, at, current, setAside }) => [
    version.id.slice(0, 12),
    version.round,
    at.slice(0, 16).replace('T', ' '),
    version.parents.map((id) => id.slice(0, 12)).join(' ') || '–',
    samplesOf(version),
    version.rejected,
    version.teacher,
    version.promptVersion,
    tokensOf(version),
    [setAside ? 'set aside' : current ? '' : 'replaced', reviewOf(version)].filter(Boolean).join(', '),
  ]);
  return textTable(head, rows);
}

/** `reviewed: 2 edited, 5 rejected` */
function reviewOf({ review }: DatasetVersion): string {
  return review === undefined ? '' : `reviewed: ${review.edited} edited, ${review.rejected} rejected`;
}

function samplesOf({ files }: DatasetVersion): number {
  return files.reduce((sum, { samples }) => sum + samples, 0);
}

function tokensOf({ cost }: DatasetVersion): string {
  const tokens = String(cost.promptTokens + cost.completionTokens);
  return cost.amount === undefined ? tokens : `${tokens} (${cost.amount.toFixed(2)} ${cost.currency})`;
}

function sampleLine(sample: EngineSample): string {
  const { image_id, question_type, question } = sample;
  return printable(`${image_id} ${question_type}: ${question} → ${answerWords(sample)}`);
}

function writeFiles(folder: string, files: readonly string[]): void {
  process.stdout.write(files.map((file) => `${join(folder, file)}\n`).join(''));
}
