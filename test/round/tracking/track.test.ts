/** What a run tells its tracker, and that none ends a run. */

import { readdir, readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeAll, expect, onTestFinished, test, vi } from 'vitest';
import { configSchema } from '../../../src/config/schema.ts';
import { trackingSchema } from '../../../src/config/tracking-schema.ts';
import { freePorts } from '../../../src/core/free-ports.ts';
import { usualWorkerSettings } from '../../../src/core/worker-settings.ts';
import { afterRound } from '../../../src/round/after-round.ts';
import type { StepContext } from '../../../src/round/step-context.ts';
import { track } from '../../../src/round/tracking/track.ts';
import { trackedRun } from '../../../src/round/tracking/tracked-run.ts';
import { temporaryFolder, temporaryFolderOfFile } from '../../helpers/temporary-folder.ts';
import { copyOfRun, playRun } from '../retention/finished-run.ts';

let played: StepContext;
const folderOfRun = await temporaryFolderOfFile();
beforeAll(async () => {
  played = await playRun(folderOfRun, 1);
});
afterEach(() => void vi.unstubAllEnvs());

async function tracking(name: string, settings: object): Promise<StepContext> {
  const context = await copyOfRun(played, name);
  return { ...context, round: 1, config: { ...context.config, tracking: trackingSchema.parse(settings) } };
}

test('figures are those of the report, and places of what was made; no path of the machine is a setting', async () => {
  const run = await trackedRun({ ...played, round: 1 });
  expect(run.rounds.map(({ round }) => round)).toEqual([0, 1]);
  const [first, second] = run.rounds;
  expect(first?.losses).toHaveLength(20);
  expect(first?.scores['validation.multipleChoice']).toMatchObject({
    value: expect.any(Number),
    low: expect.any(Number),
  });
  expect(first?.dataset).toBeUndefined();
  expect(second?.dataset).toMatchObject({
    version: expect.stringMatching(/^[0-9a-f]{64}$/),
    samples: expect.any(Number),
  });
  expect(second?.figures).toMatchObject({ samplesAdded: second?.dataset?.samples, seconds: expect.any(Number) });
  expect(second?.facts.decision).toMatch(/^(accepted|set aside)/);
  expect(second?.references.model).toBe(join(played.run.root, 'round-1', 'merged'));
  expect(run.settings).toMatchObject({
    'finetune.lora.rank': 8,
    rounds: 2,
    'finetune.lora.targetModules': 'q_proj, k_proj',
    'model.path': 'tiny-blip2',
  });
  expect(Object.values(run.settings).filter((value) => String(value).includes(played.run.root))).toEqual([]);
  expect(Object.values(run.settings).filter((value) => String(value).startsWith('/'))).toEqual([]);
});

test('what was sent is not sent again, and to another tracker all of it goes', async () => {
  const context = await tracking('sent', { to: 'wandb' });
  expect(await track(context)).toEqual({ rounds: [0, 1], to: join(context.run.root, 'tracking') });
  expect(await track(context)).toMatchObject({ rounds: [] });
  const empty = { ...context, run: { root: await temporaryFolder() } };
  expect(await track(empty)).toMatchObject({ rounds: [] });
  expect(await readdir(empty.run.root)).not.toContain('tracking.json');
  const state = JSON.parse(await readFile(join(context.run.root, 'tracking.json'), 'utf8'));
  expect(Object.keys(state.ids)).toEqual(['run', 'round-0', 'round-1']);
  const elsewhere = { ...context.config, tracking: trackingSchema.parse({ to: 'wandb', project: 'other' }) };
  expect(await track({ ...context, config: elsewhere })).toMatchObject({ rounds: [0, 1] });
  expect(await track({ ...context, config: { ...context.config, tracking: undefined } })).toBeUndefined();
});

test('a tracker that fails ends no round, and is told of it later', async () => {
  const written: string[] = [];
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => Boolean(written.push(String(text))));
  onTestFinished(() => void vi.restoreAllMocks());
  // Nobody listens there.
  const [port] = await freePorts(1);
  const context = await tracking('failing', { to: 'mlflow', baseUrl: `http://127.0.0.1:${port}` });
  await afterRound(context);
  expect(written.join('')).toMatch(
    /^tracking after round 1 of .*: MLflow at http:\/\/127\.0\.0\.1:\d+ can't be reached \(ECONNREFUSED\)\n$/,
  );
  const cut = AbortSignal.abort(new Error('the worker stops'));
  await expect(afterRound({ ...context, signal: cut })).rejects.toThrow('the worker stops');
});

test('the key goes to the host that it is bound to, and to no other', async () => {
  vi.stubEnv('TRACKER_TOKEN', 'a-token-of-ours');
  const asked: (string | undefined)[] = [];
  const server = createServer((request, response) => {
    asked.push(request.headers.authorization);
    response.writeHead(500).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const context = await tracking('keys', { to: 'mlflow', baseUrl: `http://${host}`, apiKeyVariable: 'TRACKER_TOKEN' });
  const settings = usualWorkerSettings();
  // On this machine, and not bound: asked without a key.
  await expect(track({ ...context, access: { ...settings, secrets: [] } })).rejects.toThrow('answered 500');
  const secrets = [{ variable: 'TRACKER_TOKEN', hosts: [`http://${host}`] }];
  await expect(track({ ...context, access: { ...settings, secrets } })).rejects.toThrow('answered 500');
  expect(asked).toEqual([undefined, 'Bearer a-token-of-ours']);
  const elsewhere = await tracking('elsewhere', {
    to: 'mlflow',
    baseUrl: 'https://tracker.example',
    apiKeyVariable: 'TRACKER_TOKEN',
  });
  await expect(track({ ...elsewhere, access: { ...settings, secrets } })).rejects.toThrow(
    'tracking.baseUrl: this worker may not send TRACKER_TOKEN to tracker.example',
  );
  const bare = await tracking('bare', { to: 'mlflow', baseUrl: 'https://tracker.example' });
  await expect(track({ ...bare, access: settings })).rejects.toThrow('may not send figures to tracker.example');
  vi.stubEnv('TRACKER_TOKEN', '');
  await expect(track(context)).rejects.toThrow('TRACKER_TOKEN: is not set, and tracking.apiKeyVariable names it');
});

test.each([
  [{ to: 'mlflow' }, 'baseUrl', 'is missing, and mlflow has a server'],
  [{ to: 'wandb', baseUrl: 'https://api.wandb.ai' }, 'to', 'is no server: leave baseUrl and apiKeyVariable out'],
  [{ to: 'mlflow', baseUrl: 'file:///etc' }, 'baseUrl', 'write the address of the server'],
  [{ to: 'mlflow', baseUrl: 'http://a:b@127.0.0.1' }, 'baseUrl', 'has a user name or a password'],
  [{ to: 'mlflow', baseUrl: 'http://127.0.0.1:5000', project: "it's" }, 'project', 'use letters, digits'],
])('a config with %j is refused', (settings, field, words) => {
  const result = configSchema.safeParse({ model: { path: 'm' }, data: { root: 'd' }, tracking: settings });
  const issue = result.error?.issues.find(({ path }) => path.join('.') === `tracking.${field}`);
  expect(issue?.message).toContain(words);
});
