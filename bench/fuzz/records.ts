/** Records in a run's folder, which others may have written: another version, another machine, a bucket. */
import { cp, mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import fc from 'fast-check';
import { readRoundRecords, writeRoundRecord } from '../../activities/round-records.ts';
import { loadConfig } from '../../src/config/load-config.ts';
import { hashValue } from '../../src/core/hash.ts';
import { isBelow } from '../../src/core/inside.ts';
import { readManifest, runStepOnce } from '../../src/core/manifest.ts';
import { readPruned } from '../../src/core/pruned.ts';
import { readTextFile } from '../../src/core/read-json.ts';
import { writeJson } from '../../src/core/write-file.ts';
import { compareVersions } from '../../src/datasets/compare-versions.ts';
import { datasetCard } from '../../src/datasets/dataset-card.ts';
import { checkOutVersion, exportVersion } from '../../src/datasets/export-version.ts';
import { appendVersion, findVersion, lineageOf, versionHistory } from '../../src/datasets/versions.ts';
import { readQuestionScores, readScores } from '../../src/evaluation/evaluation-files.ts';
import { freezeConfig, readFrozenConfig } from '../../src/round/frozen-config.ts';
import { readDecisionFile } from '../../src/round/gate/results.ts';
import { generationPromptFile, promptFile } from '../../src/round/prompt-file.ts';
import { readTrackingState } from '../../src/round/tracking/track.ts';
import { readAllCalls, readCallLog } from '../../src/teacher/call-log.ts';
import { readLedger } from '../../src/teacher/ledger.ts';
import { fenceName, runningTrainer } from '../../src/trainer/supervisor/fence.ts';
import { damagedBytes, damagedJson, damagedJsonLines, damagedJsonText } from './arbitraries.ts';
import { roundSummary } from './inputs.ts';
import { engineSample } from './samples.ts';
import { allowRefusal, placeSentinel } from './sentinel.ts';
import { type FuzzTarget, fuzzTarget } from './target.ts';

interface RecordCase {
  name: string;
  /** Makes a folder of a run with valid records. */
  write(root: string): Promise<unknown>;
  /** What the program does with them. */
  use(root: string): Promise<unknown>;
  /** Names of files that are no records. */
  content?: RegExp;
}

type Damage = { file: string; content: Buffer }[];

const config = await loadConfig('configs/demo.yaml');
const stepFolder = (root: string) => join(root, 'round-0', 'merged');

async function mergeOnce(root: string) {
  const directory = stepFolder(root);
  const work = async () => {
    for (const name of ['a', 'sub/b']) {
      await mkdir(dirname(join(directory, name)), { recursive: true });
      await writeFile(join(directory, name), name);
    }
    return { outputs: ['a', 'sub/b'], metrics: { seconds: 1 } };
  };
  await mkdir(directory, { recursive: true });
  await runStepOnce({ directory, step: 'merge', inputs: { from: 'x' }, work });
}

const versionFacts = (round: number) => ({
  round,
  countsByType: { color: 1 },
  teacher: 'gpt-4',
  promptVersion: 'v1',
  seed: 1,
  cost: { promptTokens: 1, completionTokens: 2, amount: 0.1, currency: 'USD' },
  rejected: 1,
  rejectedByReason: { too_long: 1 },
});

async function appendTwoVersions(root: string) {
  for (const round of [1, 2]) {
    const path = join(root, `data-${round}.json`);
    await writeJson(path, [{ ...engineSample, image_id: round }]);
    await appendVersion(root, { ...versionFacts(round), files: [{ name: `data-${round}.json`, path, samples: 1 }] });
  }
}

async function useVersions(root: string) {
  await versionHistory(root);
  const version = await findVersion(root, 'latest');
  const lineage = await lineageOf(root, version);
  datasetCard({ version, lineage, samples: 1, layout: 'parquet', imageIdType: 'BIGINT' });
  await compareVersions(root, lineage[0] as typeof version, version);
  await checkOutVersion(root, version, join(root, 'out'));
  const images = { folder: root, fileOf: async () => join(root, 'x.jpg') };
  await exportVersion('reference', { runRoot: root, version, output: join(root, 'reference'), images } as never);
}

const call = { call: 'c1', request_id: 'r1', at: '2026-01-01T00:00:00Z' };
const answer = {
  request_id: 'r1',
  image_id: 1,
  raw_instructions: 'Question: …',
  question_type: 'color',
  model: 'gpt-4',
  usage: { promptTokens: 1, completionTokens: 2, totalTokens: 3 },
  prompt_version: 'v1',
  seed: 1,
};
const estimate = { value: 0.5, low: 0.4, high: 0.6, count: 10 };
const spent = { calls: 1, failedCalls: 0, lostCalls: 0, promptTokens: 5, completionTokens: 5, cost: 0.1 };

/** Readers of a single file. */
const files: Record<string, { example: unknown; read(root: string): Promise<unknown> }> = {
  'round-0/gate/decision.json': {
    example: {
      schemaVersion: 1,
      round: 0,
      builtOn: 0,
      accepted: true,
      by: 'person',
      reason: 'x',
      verdict: 'accept',
      comment: 'good',
      comparison: 'x',
      stop: { rule: 'rounds', reason: 'x' },
    },
    read: (root) => readDecisionFile(join(root, 'round-0', 'gate')),
  },
  'round-0/evaluate/scores.json': {
    example: {
      schemaVersion: 1,
      set: 'validation',
      benchmark: 'aokvqa',
      title: 'A-OKVQA',
      blind: false,
      weights: 'x',
      asked: 'x',
      questions: 10,
      unanswered: 0,
      measures: { mc: { ...estimate, groups: { type: { color: estimate } } } },
    },
    read: (root) => readScores(join(root, 'round-0', 'evaluate')),
  },
  'round-0/evaluate/question-scores.jsonl': {
    example: [
      { measure: 'mc', id: 'a', score: 1 },
      { measure: 'mc', id: 'b', score: 0 },
    ],
    read: (root) => readQuestionScores(join(root, 'round-0', 'evaluate')),
  },
  'round-0/merged/pruned.json': {
    example: {
      schemaVersion: 1,
      at: '2026-01-01T00:00:00Z',
      files: { 'a.safetensors': { sha256: 'a'.repeat(64), size: 5 } },
    },
    read: (root) => readPruned(join(root, 'round-0', 'merged')),
  },
  'tracking.json': {
    example: { schemaVersion: 1, tracker: 'wandb  loops', ids: { run: 'x' }, sent: { 0: 'x' } },
    read: (root) => readTrackingState(root, 'wandb  loops'),
  },
  'ledger/a.jsonl': {
    example: [
      { kind: 'spend', at: '2026-01-01T00:00:00Z', source: 'round-1/generate/chunk-00012', model: 'gpt-4', ...spent },
      { kind: 'top_up', at: '2026-01-01T00:00:00Z', id: 'x', amount: 5 },
    ],
    read: readLedger,
  },
  'calls/chunk-000000.a.jsonl': {
    example: [
      { kind: 'sent', ...call, most: { promptTokens: 1, completionTokens: 5 } },
      { kind: 'answer', call: 'c1', at: call.at, answer },
      { kind: 'failed', ...call, problem: 'x', status: 500, charged: { promptTokens: 1, completionTokens: 5 } },
    ],
    read: async (root) => [await readCallLog(join(root, 'calls'), 0), await readAllCalls(join(root, 'calls'))],
  },
  [`round-0/finetune/${fenceName}`]: {
    example: { host: 'x', pid: 5, startTime: '1' },
    read: (root) => runningTrainer(join(root, 'round-0', 'finetune')),
  },
  'prompts/accepted.json': {
    example: [{ fromRound: 1, version: 'v2', file: 'v2.md' }],
    async read(root) {
      const file = await promptFile(config, { root }, 1);
      if (file !== generationPromptFile(config) && !isBelow(file, [join(root, 'prompts')]))
        throw new Error(`it is ${file}`);
    },
  },
};

const cases: RecordCase[] = [
  {
    name: 'record-manifest',
    write: mergeOnce,
    async use(root) {
      await readManifest(stepFolder(root));
      await mergeOnce(root);
    },
    content: /\/(a|b)$/,
  },
  { name: 'record-versions', write: appendTwoVersions, use: useVersions, content: /^data-|\/objects\// },
  {
    name: 'record-round',
    write: (root) => writeRoundRecord({ root }, roundSummary as never),
    use: (root) => readRoundRecords({ root }),
  },
  {
    name: 'record-frozen-config',
    write: (root) => freezeConfig(config, 'demo', { runsDirectory: dirname(root) }),
    use: readFrozenConfig,
  },
  ...Object.entries(files).map(
    ([path, { example, read }]): RecordCase => ({
      name: `record-${path
        .replace(/^round-0\//, '')
        .replace(/\..*$/, '')
        .replaceAll('/', '-')}`,
      async write(root) {
        await mkdir(dirname(join(root, path)), { recursive: true });
        const lines = () => (example as unknown[]).map((line) => `${JSON.stringify(line)}\n`).join('');
        await writeFile(join(root, path), path.endsWith('.jsonl') ? lines() : JSON.stringify(example));
      },
      use: read,
    }),
  ),
];

const recordTargets = cases.map(({ name, write, use, content }) =>
  fuzzTarget<Damage>(name, async (folder) => {
    const { root, check } = await placeSentinel(folder);
    await mkdir(root);
    await write(root);
    await use(root);
    await rm(root, { recursive: true, force: true });
    await mkdir(root);
    await write(root);
    const template = join(folder, 'template');
    await cp(root, template, { recursive: true });
    const entries = await readdir(template, { recursive: true, withFileTypes: true });
    const records = entries
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name).slice(template.length + 1))
      .filter((file) => content === undefined || !content.test(file));
    const one = fc.oneof(...(await Promise.all(records.map((file) => damageOf(template, file)))));
    return {
      input: fc.array(one, { minLength: 1, maxLength: 2 }).map((all) => all.flat()),
      show: (damage) => damage.map(({ file, content }) => `${file} = ${content.toString('utf8')}`).join('; '),
      async take(damage) {
        await rm(root, { recursive: true, force: true });
        await cp(template, root, { recursive: true });
        for (const { file, content } of damage) await writeFile(join(root, file), content);
        await allowRefusal(() => use(root));
        await check();
      },
    };
  }),
);

/** What may be done to a record. A version whose id is right says anything else. */
async function damageOf(template: string, file: string): Promise<fc.Arbitrary<Damage>> {
  const text = await readTextFile(join(template, file));
  const only = (content: fc.Arbitrary<Buffer>) => content.map((bytes): Damage => [{ file, content: bytes }]);
  if (file.endsWith('.jsonl'))
    return only(
      damagedJsonLines(
        text
          .trim()
          .split('\n')
          .map((line) => JSON.parse(line)),
      ),
    );
  if (!file.endsWith('.json')) return only(damagedBytes(Buffer.from(text)));
  const value = JSON.parse(text);
  if (!file.startsWith('dataset-versions/')) return only(damagedJsonText(value));
  const { id: _, ...rest } = value;
  const rehashed = damagedJson(rest).map((changed): Damage => {
    const isRecord = typeof changed === 'object' && changed !== null && !Array.isArray(changed);
    const id = hashValue(changed ?? null);
    const content = Buffer.from(JSON.stringify(isRecord ? { ...changed, id } : changed) ?? '');
    const line = { id, round: 9, at: '2026-01-01T00:00:00Z' };
    return [
      { file: `dataset-versions/${id}.json`, content },
      { file: 'dataset-versions/log.jsonl', content: Buffer.from(`${JSON.stringify(line)}\n`) },
    ];
  });
  return fc.oneof(only(damagedJsonText(value)), rehashed);
}

export const runRecordTargets: readonly FuzzTarget[] = recordTargets;
