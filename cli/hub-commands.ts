/** `dataengine hub push` and `pull`: datasets and models to and from the Hugging Face Hub. */
import { mkdtemp, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { type Command, InvalidArgumentError, Option } from 'commander';
import type { Config } from '../src/config/schema.ts';
import type { HubAccess } from '../src/core/hub/hub-access.ts';
import type { HubRepo } from '../src/core/hub/hub-repo.ts';
import { openRunDirectory, type RunDirectory } from '../src/core/run-directory.ts';
import { addRunOptions, integer, loadNamedConfig, type RunOptions } from './options.ts';
import { tell } from './say.ts';

interface PushOptions extends RunOptions {
  repo: string;
  license: string;
  public: boolean;
}

const GIBIBYTE = 2 ** 30;

/** Adds `dataengine hub`. */
export function addHubCommands(program: Command, signal: AbortSignal): void {
  const hub = program.command('hub').description('datasets and models on the Hugging Face Hub');
  const push = hub.command('push').description('write to a repository, with a card; the token is that of HF_TOKEN');

  addPushOptions(push.command('dataset <config> [version]').description('a dataset version, and all data up to it'))
    .addOption(new Option('--format <name>').choices(['parquet', 'webdataset']).default('parquet'))
    .option('--images', 'parquet: include the images in the files', false)
    .addHelpText(
      'after',
      '\nExample:\n  dataengine hub push dataset configs/demo.yaml latest --repo me/my-dataset --license cc-by-4.0',
    )
    .action(
      async (
        file: string,
        name: string | undefined,
        options: PushOptions & { format: 'parquet' | 'webdataset'; images: boolean },
      ) => {
        const { config, run } = await openRun(file, options);
        const { findVersion, lineageOf } = await import('../src/datasets/versions.ts');
        const { exportVersion } = await import('../src/datasets/export-version.ts');
        const { poolFolder } = await import('../src/round/dataset-paths.ts');
        const { scoresOfRounds } = await import('../src/round/publish.ts');
        const version = await findVersion(run.root, name ?? 'latest');
        const rounds = (await lineageOf(run.root, version)).map(({ round }) => round);
        const card = { license: options.license, scores: await scoresOfRounds(run, rounds) };
        await pushWritten(run, { type: 'dataset', name: options.repo }, options, {
          title: `Dataset version ${version.id.slice(0, 12)}`,
          facts: { version: version.id, license: options.license },
          write: (folder) =>
            exportVersion(options.format, {
              runRoot: run.root,
              version,
              output: folder,
              images: { path: config.data.images.train, folder: poolFolder(config) },
              exif: config.data.exif,
              answerFormat: config.data.format,
              embedImages: options.images,
              card,
            }),
        });
      },
    );

  for (const kind of ['adapter', 'model'] as const) {
    const what = kind === 'adapter' ? "a round's LoRA adapter (PEFT)" : "a round's merged model";
    addPushOptions(push.command(`${kind} <config>`).description(what))
      .requiredOption('--round <number>', 'round', integer(0))
      .option('--base-model <owner/name>', 'the base model on the Hub, for the card')
      .addHelpText(
        'after',
        `\nExample:\n  dataengine hub push ${kind} configs/demo.yaml --round 1 --repo me/my-${kind} --license apache-2.0`,
      )
      .action(async (file: string, options: PushOptions & { round: number; baseModel?: string }) => {
        const { config, run } = await openRun(file, options);
        const { writeModelFolder } = await import('../src/round/publish.ts');
        const { round, license, baseModel } = options;
        await pushWritten(run, { type: 'model', name: options.repo }, options, {
          title: `Round ${round}`,
          facts: { round, license, ...(baseModel !== undefined && { baseModel }) },
          write: (folder) => writeModelFolder(folder, { run, config, round, kind, license, baseModel }),
        });
      });
  }

  hub
    .command('pull <repo>')
    .description('copy a repository at one commit, which is recorded; hashes are checked')
    .addOption(new Option('--type <name>').choices(['dataset', 'model']).default('dataset'))
    .option('--revision <name>', 'branch, tag or commit', 'main')
    .requiredOption('--output <folder>', 'a folder that does not exist yet')
    .option('--max-size <GiB>', 'the most that all files may have', integer(1), 200)
    .addHelpText('after', '\nExample:\n  dataengine hub pull me/my-dataset --output data/my-dataset')
    .action(
      async (
        name: string,
        options: { type: 'dataset' | 'model'; revision: string; output: string; maxSize: number },
      ) => {
        const { requireRepoName } = await import('../src/core/hub/hub-repo.ts');
        const { pullRepo } = await import('../src/core/hub/pull-repo.ts');
        const { type, revision, output, maxSize } = options;
        const repo = { type, name: requireRepoName(name) };
        const pull = { repo, revision, output, mostBytes: maxSize * GIBIBYTE, signal };
        const { commit, files, isNew } = await pullRepo(await openHub(), pull);
        const state = isNew ? `${files.length} files` : 'is there already';
        tell(`${output}: ${state}, at commit ${commit}`);
      },
    );
}

function addPushOptions(command: Command): Command {
  return addRunOptions(command)
    .requiredOption('--repo <owner/name>', 'repository; it is made where there is none')
    .requiredOption('--license <id>', 'as the Hub names it, such as cc-by-4.0 or other', licenseId)
    .option('--public', 'a repository that is made can be seen by everybody', false);
}

function licenseId(text: string): string {
  if (/^[a-z0-9][a-z0-9.-]{0,60}$/.test(text)) return text;
  throw new InvalidArgumentError("Give one of the Hub's names of licenses, such as apache-2.0.");
}

async function openRun(file: string, options: RunOptions): Promise<{ config: Config; run: RunDirectory }> {
  const { config, runName } = await loadNamedConfig(file, options);
  return { config, run: openRunDirectory(resolve(config.runsDirectory), runName) };
}

async function openHub(): Promise<HubAccess> {
  const { hubAccess } = await import('../src/core/hub/hub-access.ts');
  const { loadWorkerSettings } = await import('../src/core/worker-settings.ts');
  return hubAccess(await loadWorkerSettings());
}

/** Pushes what `write` writes, and adds a line to `hub.jsonl` in the run's folder. */
async function pushWritten(
  run: RunDirectory,
  repo: HubRepo,
  { public: isPublic }: PushOptions,
  { title, facts, write }: { title: string; facts: object; write: (folder: string) => Promise<unknown> },
): Promise<void> {
  const { requireRepoName } = await import('../src/core/hub/hub-repo.ts');
  const { pushFolder } = await import('../src/core/hub/push-folder.ts');
  const { openJsonLines } = await import('../src/core/append-json-lines.ts');
  requireRepoName(repo.name);
  const hub = await openHub();
  const folder = await mkdtemp(join(run.root, '.hub-'));
  try {
    await write(folder);
    const { commit, written, removed } = await pushFolder(hub, { repo, folder, title, isPublic, facts });
    const log = await openJsonLines(join(run.root, 'hub.jsonl'));
    await log.append({ at: new Date().toISOString(), endpoint: hub.endpoint, ...repo, commit, ...facts });
    await log.close();
    const change =
      written.length + removed.length === 0
        ? 'nothing has changed'
        : `${written.length} files written, ${removed.length} removed`;
    tell(`${repo.type} ${repo.name}: ${change}, at commit ${commit}`);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
