/** What is removed of a run and what stays, on a disk. */
import { link, mkdir, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { withFence } from '../../../src/core/fence.ts';
import { fileExists } from '../../../src/core/files.ts';
import { hashFile } from '../../../src/core/hash.ts';
import { withLock } from '../../../src/core/with-lock.ts';
import { writeJson } from '../../../src/core/write-file.ts';
import { evaluate, evaluateShard } from '../../../src/round/evaluate/evaluate.ts';
import { finishedStep } from '../../../src/round/finished-step.ts';
import { merge, mergeAgain } from '../../../src/round/merge/merge.ts';
import { wholeMergedModel } from '../../../src/round/merge/whole-model.ts';
import { type RunOwner, thisProcess } from '../../../src/round/owner/owner.ts';
import { type OwnerPlace, openOwnerPlace } from '../../../src/round/owner/owner-place.ts';
import { seeOwner } from '../../../src/round/owner/seen-owner.ts';
import { report } from '../../../src/round/report/report.ts';
import { prune } from '../../../src/round/retention/prune.ts';
import { servedModel } from '../../../src/round/served-model.ts';
import type { StepContext } from '../../../src/round/step-context.ts';
import { temporaryFolder, temporaryFolderOfFile } from '../../helpers/temporary-folder.ts';
import { copyOfRun, playRound, playRun } from './finished-run.ts';

let played: StepContext;
/** Of the last good round. */
let good: number;
let others: number[];

const folderOfRun = await temporaryFolderOfFile();
beforeAll(async () => {
  played = await playRun(folderOfRun);
  good = JSON.parse(await readFile(join(played.run.root, 'lineage.json'), 'utf8')).lastGood;
  others = [0, 1, 2].filter((round) => round !== good);
});

const onlyTheLastGood = { lastRounds: 0, best: false };
const weights = ({ run }: StepContext, round: number) =>
  join(run.root, `round-${round}`, 'merged', 'model.safetensors');
const merged = ({ run }: StepContext, round: number) => join(run.root, `round-${round}`, 'merged');

test('a dry run says what and how much, and removes nothing', async () => {
  const context = await copyOfRun(played, 'dry');
  const before = (await readdir(context.run.root, { recursive: true })).sort();
  const outcome = await prune(context, { dryRun: true, retention: onlyTheLastGood });
  expect(outcome).toMatchObject({
    run: 'tiny',
    rounds: 3,
    dryRun: true,
    kept: [{ round: good, why: 'the last good one' }],
  });
  const bytes = await Promise.all(others.map(async (round) => (await stat(weights(context, round))).size));
  expect(outcome.removed).toEqual(
    expect.arrayContaining([{ kind: 'model', files: 2, bytes: bytes.reduce((sum, size) => sum + size, 0) }]),
  );
  expect(outcome.removed.find(({ kind }) => kind === 'resume')?.files).toBe(3 * 4);
  expect((await readdir(context.run.root, { recursive: true })).sort()).toEqual(before);
});

describe('after a prune', () => {
  let context: StepContext;
  const hashes = new Map<number, string>();
  beforeAll(async () => {
    context = await copyOfRun(played, 'pruned');
    for (const round of others) hashes.set(round, await hashFile(weights(context, round)));
    await prune(context, { retention: onlyTheLastGood });
  });

  test('the last good round has its model, and no step has its checkpoints', async () => {
    expect(await fileExists(weights(context, good))).toBe(true);
    for (const round of [0, 1, 2]) {
      const names = await readdir(join(context.run.root, `round-${round}`, 'finetune'));
      expect(names).toEqual(expect.arrayContaining(['adapter_model.safetensors', 'loss.jsonl', 'manifest.json']));
      expect(names).not.toContain('checkpoints');
    }
    for (const round of others) expect(await fileExists(weights(context, round))).toBe(false);
  });

  test('every step still counts as done, and nothing is computed again', async () => {
    for (const round of [0, 1, 2]) {
      expect((await playRound(context, round)).map(({ reused }) => reused)).not.toContain(false);
    }
    for (const round of others) expect(await fileExists(weights(context, round))).toBe(false);
  });

  test('what needs the model says what is gone, since when, and the command that brings it back', async () => {
    const [round = -1] = others;
    const words = new RegExp(
      `merged: the merged model of round ${round} is not whole: 0\\.\\d kB were pruned on \\d{4}-\\d\\d-\\d\\d \\(model\\.safetensors\\)\\. Run \`dataengine merge --round ${round}\``,
    );
    await expect(finishedStep(context.run, round, 'merge', { weights: true })).rejects.toThrow(words);
    await expect(servedModel(context.run.root, round)).rejects.toThrow(words);
    await expect(servedModel(merged(context, round))).rejects.toThrow(words);
    const html = await readFile((await report({ ...context, round: 2 })).file, 'utf8');
    expect(html).toContain(`Round ${round}: 0.1 kB were pruned`);
    expect(html).toContain(`dataengine merge --round ${round}`);
  });

  test('a person’s merge makes the same model again, and the workflow’s does not', async () => {
    const [round = -1] = others;
    expect(await merge({ ...context, round })).toMatchObject({ reused: true });
    expect(await fileExists(weights(context, round))).toBe(false);
    expect(await mergeAgain({ ...context, round })).toMatchObject({ reused: false });
    expect(await hashFile(weights(context, round))).toBe(hashes.get(round));
    expect(await fileExists(join(merged(context, round), 'pruned.json'))).toBe(false);
    expect((await servedModel(context.run.root, round)).directory).toBe(merged(context, round));
    expect(await mergeAgain({ ...context, round })).toMatchObject({ reused: true });
  });

  test('an evaluation that needs it makes it again by itself, once for all shards', async () => {
    const round = others.at(-1) ?? -1;
    const config = { ...context.config, evaluate: { ...context.config.evaluate, shards: 2 } };
    const changed = { ...context, config, round };
    const shards = [0, 1].flatMap((shard) => ['validation', 'test'].map((set) => ({ set, shard })));
    await Promise.all(shards.map((shard) => evaluateShard(changed, shard)));
    expect(await evaluate(changed)).toMatchObject({ reused: false });
    expect(await hashFile(weights(context, round))).toBe(hashes.get(round));
  });

  test('a second prune removes what came back, and a third finds nothing', async () => {
    const again = await prune(context, { retention: onlyTheLastGood });
    expect(again.removed.find(({ kind }) => kind === 'model')?.files).toBe(2);
    expect((await prune(context, { retention: onlyTheLastGood })).removed).toEqual([]);
  });
});

test('a merge that was killed while it made the model again is done again', async () => {
  const context = { ...(await copyOfRun(played, 'killed')), round: others[0] ?? -1 };
  const before = await hashFile(weights(context, context.round));
  await prune(context, { retention: onlyTheLastGood });
  const folder = merged(context, context.round);
  await rm(join(folder, 'manifest.json'));
  await writeFile(join(folder, 'model.safetensors'), 'cut');
  expect((await wholeMergedModel(context)).directory).toBe(folder);
  expect(await hashFile(weights(context, context.round))).toBe(before);
});

test('a shard that starts while another process makes the model again waits for it', async () => {
  const context = { ...(await copyOfRun(played, 'waiting')), round: others[0] ?? -1 };
  await prune(context, { retention: onlyTheLastGood });
  const folder = merged(context, context.round);
  const config = { ...context.config, evaluate: { ...context.config.evaluate, shards: 2 } };
  const { started } = await withLock(join(folder, '.merge-again.lock'), async () => {
    await rm(join(folder, 'manifest.json'));
    const work = evaluateShard({ ...context, config }, { set: 'validation', shard: 0 });
    const outcome = work.then(({ reused }) => (reused ? 'reused' : 'done'), String);
    await mergeAgain(context);
    return { started: outcome };
  });
  expect(await started).toBe('done');
});

test('another model than the one that was pruned is refused', async () => {
  const context = { ...(await copyOfRun(played, 'other')), round: others[0] ?? -1 };
  await prune(context, { retention: onlyTheLastGood });
  const file = join(merged(context, context.round), 'pruned.json');
  const record = JSON.parse(await readFile(file, 'utf8'));
  record.files['model.safetensors'].sha256 = '0'.repeat(64);
  await writeJson(file, record);
  await expect(mergeAgain(context)).rejects.toThrow(/model\.safetensors is not what it was before it was pruned/);
});

describe('what stays', () => {
  test('the newest rounds and the best one, as the config says', async () => {
    const context = await copyOfRun(played, 'newest');
    const { kept } = await prune(context, { dryRun: true, retention: { lastRounds: 2, best: true } });
    expect(kept.filter(({ why }) => why.includes('among the newest')).map(({ round }) => round)).toEqual([1, 2]);
    expect(kept.filter(({ why }) => why.includes('the best'))).toHaveLength(1);
    const unset = await prune(context, { dryRun: true });
    expect(unset.kept).toEqual(kept);
  });

  test('a round without a decision, and one with a step under way', async () => {
    const context = await copyOfRun(played, 'under-way');
    await rm(join(context.run.root, 'round-2', 'gate'), { recursive: true });
    const shard = join(context.run.root, 'round-0', 'evaluate-shards', 'extra-0-of-1');
    await mkdir(shard);
    await writeJson(join(shard, 'started.json'), { step: 'evaluate-shard', inputsHash: 'x', startedAt: 'now' });
    const { kept } = await prune(context, { retention: onlyTheLastGood });
    expect(kept).toEqual(
      expect.arrayContaining([
        { round: 0, why: expect.stringContaining('a step is under way') },
        { round: 2, why: expect.stringContaining('without a decision') },
      ]),
    );
    for (const round of [0, 2]) expect(await fileExists(weights(context, round))).toBe(true);
  });

  test('what two other runs need that start from this one, as long as they do', async () => {
    const context = await copyOfRun(played, 'ancestor');
    const [first = -1, second = -1] = others;
    const runs = join(context.run.root, '..');
    const startsFrom = (name: string, config: object) => writeJson(join(runs, name, 'config.json'), config);
    await startsFrom('on-the-model', { model: { path: merged(context, first) }, data: { root: 'data' } });
    const adapter = join(context.run.root, `round-${second}`, 'finetune');
    await startsFrom('on-the-adapter', { model: { path: 'x' }, finetune: { round0Adapter: adapter } });
    const outcome = await prune(context, { retention: onlyTheLastGood });
    expect(outcome.needed).toEqual([
      { by: 'on-the-adapter', path: `round-${second}/finetune` },
      { by: 'on-the-model', path: `round-${first}/merged` },
    ]);
    expect(await fileExists(weights(context, first))).toBe(true);
    expect(await fileExists(weights(context, second))).toBe(false);
    expect(await fileExists(join(adapter, 'checkpoints'))).toBe(true);
    await rm(join(runs, 'on-the-model'), { recursive: true });
    await prune(context, { retention: onlyTheLastGood });
    expect(await fileExists(weights(context, first))).toBe(false);
  });

  test('everything, while nobody knows what another run needs', async () => {
    const context = await copyOfRun(played, 'unreadable');
    const file = join(context.run.root, '..', 'broken', 'config.json');
    await mkdir(join(file, '..'));
    await writeFile(file, '{');
    await expect(prune(context, { retention: onlyTheLastGood })).rejects.toThrow(
      /broken\/config\.json: can't be read, so nobody knows what this run needs of others/,
    );
    for (const round of others) expect(await fileExists(weights(context, round))).toBe(true);
  });

  test('the content of a file that has another name elsewhere, which frees nothing', async () => {
    const context = await copyOfRun(played, 'linked');
    const [round = -1] = others;
    const elsewhere = join(await temporaryFolder(), 'shard.safetensors');
    await link(weights(context, round), elsewhere);
    const before = await hashFile(elsewhere);
    const { removed } = await prune(context, { retention: onlyTheLastGood });
    const counted = others.slice(1).map((one) => stat(weights(played, one)));
    expect(removed.find(({ kind }) => kind === 'model')?.bytes).toBe(
      (await Promise.all(counted)).reduce((sum, { size }) => sum + size, 0),
    );
    expect(await hashFile(elsewhere)).toBe(before);
    expect(await fileExists(weights(context, round))).toBe(false);
  });
});

describe('beside an owner', () => {
  const checkpoints = ({ run }: StepContext, round: number) =>
    fileExists(join(run.root, `round-${round}`, 'finetune', 'checkpoints'));
  const execution = { cluster: 'here', namespace: 'default', workflowId: 'nightly', runId: 'a' };
  const workflow: RunOwner = { kind: 'workflow', ...execution };
  const placeOf = async ({ run }: StepContext) => (await openOwnerPlace(run.root, { access: undefined })) as OwnerPlace;

  test('an owner works while its workflow runs, or its process; nobody does once a step by hand has ended', async () => {
    const context = await copyOfRun(played, 'owners');
    const place = await placeOf(context);
    const see = (isRunning: boolean) => seeOwner(place, async () => isRunning);
    expect(await see(true)).toEqual({ epoch: 0 });
    await place.claim(1, workflow);
    expect(await see(true)).toEqual({ epoch: 1, works: expect.stringContaining('the workflow nightly') });
    expect(await see(false)).toEqual({ epoch: 1 });
    await place.claim(2, await thisProcess('finetune'));
    expect((await see(false)).works).toMatch(/^`dataengine finetune` \(process \d+ on /);
    await place.claim(3, { kind: 'nobody' });
    expect(await see(true)).toEqual({ epoch: 3 });
  });

  test('the newest round and those without a decision stay whole; of older ones goes what retention says', async () => {
    const context = await copyOfRun(played, 'beside');
    await rm(join(context.run.root, 'round-1', 'gate'), { recursive: true });
    const outcome = await prune(context, { retention: onlyTheLastGood, beside: { epoch: 0, works: 'somebody' } });
    expect(outcome.owner).toBe('somebody');
    expect(outcome.kept).toContainEqual({ round: 2, why: expect.stringContaining('its owner is at work') });
    for (const round of [1, 2]) {
      expect(await fileExists(weights(context, round))).toBe(true);
      expect(await checkpoints(context, round)).toBe(true);
    }
    expect(await checkpoints(context, 0)).toBe(false);
    const ended = await prune(context, { retention: onlyTheLastGood, beside: { epoch: 0 } });
    expect(ended.owner).toBeUndefined();
    expect(await checkpoints(context, 2)).toBe(false);
  });

  test('once the run has another owner, nothing more is removed', async () => {
    const context = await copyOfRun(played, 'taken-over');
    await (await placeOf(context)).claim(1, workflow);
    const outcome = await prune(context, { retention: onlyTheLastGood, beside: { epoch: 0 } });
    expect(outcome).toMatchObject({ interrupted: true, removed: [], bytes: 0 });
    for (const round of others) expect(await fileExists(weights(context, round))).toBe(true);
  });

  test('an owner that has lost the run removes nothing after its round', async () => {
    const context = await copyOfRun(played, 'lost');
    const place = await placeOf(context);
    await place.claim(1, workflow);
    await place.claim(2, { ...workflow, workflowId: 'other' });
    const late = withFence(place.fence(1), () => prune(context, { retention: onlyTheLastGood }));
    await expect(late).rejects.toMatchObject({ name: 'NotOwner' });
    for (const round of others) expect(await fileExists(weights(context, round))).toBe(true);
    await withFence(place.fence(2), () => prune(context, { retention: onlyTheLastGood }));
    for (const round of others) expect(await fileExists(weights(context, round))).toBe(false);
  });
});

test('the last good round stays while a newer one is not decided: it may yet be set aside', async () => {
  const context = await copyOfRun(played, 'undecided');
  await mkdir(join(context.run.root, 'round-3', 'sample'), { recursive: true });
  const { kept } = await prune(context, { retention: onlyTheLastGood });
  expect(kept).toEqual([
    { round: good, why: 'the last good one' },
    { round: 3, why: 'without a decision' },
  ]);
  expect(await fileExists(weights(context, good))).toBe(true);
});

test('temporary files are swept once nobody has written to them for an hour', async () => {
  const context = await copyOfRun(played, 'temporary');
  const folder = join(context.run.root, 'round-1', 'sample');
  const [old, inFolder, fresh] = ['.requests.jsonl.a1.tmp', 'model.b2.tmp/part', '.weight.json.c3.tmp'].map((name) =>
    join(folder, name),
  ) as [string, string, string];
  await mkdir(join(inFolder, '..'));
  for (const file of [old, inFolder, fresh]) await writeFile(file, 'half');
  const now = new Date(Date.now() + 3_700_000);
  await utimes(fresh, now, now);
  const { removed } = await prune(context, { retention: { lastRounds: 9, best: true }, now });
  expect(removed.find(({ kind }) => kind === 'temporary')).toEqual({ kind: 'temporary', files: 2, bytes: 8 });
  expect(await readdir(folder)).toEqual(expect.not.arrayContaining(['.requests.jsonl.a1.tmp', 'model.b2.tmp']));
  expect(await fileExists(fresh)).toBe(true);
});
