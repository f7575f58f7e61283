/** `dataengine hub` against a server on this machine that speaks the Hub's protocol. */
import { cp, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, expect, onTestFinished, test, vi } from 'vitest';
import { workerSettingsVariable } from '../../src/core/worker-settings.ts';
import { tableRows } from '../../src/datasets/tables/index.ts';
import { type LocalHub, startHub } from '../core/hub/hub-server.ts';
import { engineSample, versionedRun } from '../datasets/versioned-run.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';
import { printedBy } from './in-this-process.ts';

let hub: LocalHub;
let root = '';
let config = '';

/** A run with two rounds of data; the second has an adapter, a merged model and scores. */
beforeEach(async () => {
  hub = await startHub();
  root = await temporaryFolder();
  config = join(root, 'my.yaml');
  const runRoot = join(root, 'runs', 'mine');
  await mkdir(join(root, 'photos'), { recursive: true });
  await mkdir(runRoot, { recursive: true });
  const { append } = await versionedRun(runRoot);
  await append(1, [engineSample(1), engineSample(2)]);
  await append(2, [engineSample(3)]);
  const round = join(runRoot, 'round-2');
  const fixtures = join(import.meta.dirname, '..', 'fixtures');
  await cp(join(fixtures, 'tiny-llava-adapter'), join(round, 'finetune'), { recursive: true });
  await cp(join(fixtures, 'tiny-llava'), join(round, 'merged'), { recursive: true });
  await writeFile(join(round, 'merged', 'README.md'), '# The base model');
  await mkdir(join(round, 'merged', 'additional_chat_templates'));
  await writeFile(join(round, 'merged', 'additional_chat_templates', 'rag.jinja'), 'of documents');
  await writeFile(join(round, 'merged', 'fits-in-memory.json'), '{}');
  for (const step of ['finetune', 'merged']) await writeFile(join(round, step, 'manifest.json'), '{}');
  const adapter = JSON.parse(await readFile(join(round, 'finetune', 'adapter_config.json'), 'utf8'));
  const local = { ...adapter, base_model_name_or_path: join(root, 'models', 'base') };
  await writeFile(join(round, 'finetune', 'adapter_config.json'), JSON.stringify(local));
  await mkdir(join(round, 'evaluate'));
  const measure = { value: 0.75, low: 0.7, high: 0.8, count: 200, groups: {} };
  const facts = { set: 'validation', benchmark: 'aokvqa', title: 'A-OKVQA', blind: false, weights: 'x', asked: 'x' };
  const scores = { schemaVersion: 1, ...facts, questions: 200, unanswered: 0, measures: { multipleChoice: measure } };
  await writeFile(join(round, 'evaluate', 'scores.json'), JSON.stringify(scores));
  const settings = { run: 'mine', runsDirectory: join(root, 'runs'), model: { path: join(root, 'models', 'base') } };
  const data = { root, images: { train: 'photos', validation: 'photos' } };
  await writeFile(config, JSON.stringify({ extends: join(process.cwd(), 'configs', 'demo.yaml'), ...settings, data }));
  await writeFile(
    join(root, 'worker.yaml'),
    JSON.stringify({ secrets: [{ variable: 'HF_TOKEN', hosts: [hub.endpoint] }] }),
  );
  vi.stubEnv('HF_ENDPOINT', hub.endpoint);
  vi.stubEnv('HF_TOKEN', hub.token);
  vi.stubEnv(workerSettingsVariable, join(root, 'worker.yaml'));
  onTestFinished(() => {
    vi.unstubAllEnvs();
    hub.close();
  });
});

const head = (repo: string) => hub.repos.get(repo)?.commits.at(-1);
const textOf = (repo: string, path: string) => String(head(repo)?.files.get(path)?.content);

test('a dataset version is pushed with a card, and pulled back', async () => {
  const push = () =>
    printedBy('hub', 'push', 'dataset', config, 'latest', '--repo', 'me/my-dataset', '--license', 'cc-by-4.0');
  const commit = (text: string) => /at commit ([0-9a-f]{40})/.exec(text)?.[1];
  const first = await push();
  expect(commit(first)).toBe(head('datasets/me/my-dataset')?.oid);
  const card = textOf('datasets/me/my-dataset', 'README.md');
  expect(card).toContain('license: cc-by-4.0');
  expect(card).toMatch(/\| 2 \| `[0-9a-f]{12}` \| 1 \|/);
  expect(card).toContain('| 2 | A-OKVQA, validation | multipleChoice | 75.0 % | 70.0 to 80.0 % | 200 |');
  expect(await push()).toContain('nothing has changed');
  const log = (await readFile(join(root, 'runs', 'mine', 'hub.jsonl'), 'utf8')).trim().split('\n');
  expect(log.map((line) => JSON.parse(line).commit)).toEqual([commit(first), commit(first)]);

  const output = join(root, 'pulled');
  const pull = () => printedBy('hub', 'pull', 'me/my-dataset', '--output', output);
  expect(commit(await pull())).toBe(commit(first));
  expect(await pull()).toContain('is there already');
  const questions: unknown[] = [];
  for await (const { values } of tableRows(output)) questions.push(values.get('question'));
  expect(questions).toEqual([1, 2, 3].map((id) => `What's in image ${id}?`));
});

test.each(['adapter', 'model'])('a %s is pushed with a card, without paths of this machine', async (kind) => {
  const repo = `me/my-${kind}`;
  const options = ['--round', '2', '--repo', repo, '--license', 'apache-2.0', '--base-model', 'them/base', '--public'];
  expect(await printedBy('hub', 'push', kind, config, ...options)).toContain(`model ${repo}: `);
  expect(hub.repos.get(`models/${repo}`)?.visibility).toBe('public');
  const card = textOf(`models/${repo}`, 'README.md');
  for (const part of ['license: apache-2.0', 'base_model: them/base', '70.0 to 80.0 %', '| 1 | `'])
    expect(card).toContain(part);
  const files = head(`models/${repo}`)?.files ?? new Map();
  for (const [path, { content }] of files) expect(String(content).includes(root), path).toBe(false);
  if (kind === 'adapter') {
    expect([...files.keys()].sort()).toEqual(
      ['.gitattributes', 'README.md', 'adapter_config.json', 'adapter_model.safetensors', 'dataengine.json'].sort(),
    );
    expect(JSON.parse(textOf(`models/${repo}`, 'adapter_config.json')).base_model_name_or_path).toBe('them/base');
    // What the run has is as it was.
    const own = join(root, 'runs', 'mine', 'round-2', 'finetune', 'adapter_config.json');
    expect(JSON.parse(await readFile(own, 'utf8')).base_model_name_or_path).toBe(join(root, 'models', 'base'));
  } else {
    expect(textOf(`models/${repo}`, 'BASE_MODEL_README.md')).toBe('# The base model');
    expect([...files.keys()]).toEqual(
      expect.arrayContaining(['model.safetensors', 'additional_chat_templates/rag.jinja']),
    );
    for (const name of ['manifest.json', 'fits-in-memory.json']) expect([...files.keys()]).not.toContain(name);
    expect(card).toContain('processor.apply_chat_template(messages, add_generation_prompt=True');
  }
});

test('a round without an adapter is named', async () => {
  const options = ['--round', '1', '--repo', 'me/x', '--license', 'mit'];
  await expect(printedBy('hub', 'push', 'adapter', config, ...options)).rejects.toThrow(/round 1 has no adapter/);
});
