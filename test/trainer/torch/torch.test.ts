import { existsSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { openSafetensors, writeSafetensors } from '../../../src/model/files/safetensors.ts';
import { evaluate } from '../../../src/trainer/jobs/evaluate/evaluate.ts';
import { copyWith } from '../../helpers/copy-with.ts';
import { lossesIn, maximumDifference, recordingReporter } from '../../helpers/jobs.ts';
import { describeTorchBesideOurs } from './torch-beside-ours.ts';
import { killLastRank, runTorch, TORCH_TIMEOUTS, torchIsSetUp } from './torch-jobs.ts';
import { answersIn, type TorchRig, torchRig } from './torch-rig.ts';

vi.setConfig(TORCH_TIMEOUTS);

const lossesOf = (curve: string) =>
  curve
    .trim()
    .split('\n')
    .map((line) => (JSON.parse(line) as { loss: number }).loss);

describeTorchBesideOurs('minigpt4');

describe.skipIf(!torchIsSetUp)('a finetune under torchrun', () => {
  let rig: TorchRig;

  beforeAll(async () => {
    rig = await torchRig('minigpt4');
  });
  afterAll(() => rig?.remove());

  test('ends when one of its processes is killed, sharded too, and resumes with another number of them', async () => {
    const undisturbed = path.join(rig.folder, 'undisturbed');
    await runTorch(rig.job(undisturbed), undisturbed, { processes: 1 });

    const killed = await mkdtemp(path.join(rig.folder, 'killed-'));
    await killLastRank(rig.job(killed), killed, { sharding: 'fsdp' });
    const { metrics } = await runTorch(rig.job(killed), killed, { processes: 1 });
    expect(metrics.resumedAtStep).toBeGreaterThanOrEqual(4);
    expect(maximumDifference(await lossesIn(killed), await lossesIn(undisturbed))).toBeLessThan(1e-3);
    expect(existsSync(path.join(killed, 'adapter_model.safetensors'))).toBe(true);
  });

  test("12-begin-token and torchrun-tokenizer-truncation: the tokenizer's begin token, and its texts uncut", async () => {
    const wrong = path.join(rig.folder, 'wrong-config');
    await copyWith(rig.model, wrong, 'config.json', ({ text_config, ...rest }) => ({
      ...rest,
      text_config: { ...(text_config as object), bos_token_id: 5, eos_token_id: 6, pad_token_id: -1 },
    }));
    const pad = { pad_id: 2, pad_type_id: 0, pad_token: '<pad>', pad_to_multiple_of: null };
    await copyWith(wrong, wrong, 'tokenizer.json', (content) => ({
      ...content,
      truncation: { direction: 'Right', max_length: 12, strategy: 'LongestFirst', stride: 0 },
      padding: { strategy: { Fixed: 40 }, direction: 'Right', ...pad },
    }));
    const output = (name: string) => path.join(rig.folder, `begin-${name}.jsonl`);
    const asked = { questions: rig.mixture.asked, batchSize: 4 };
    await evaluate({ model: rig.model, ...asked, output: output('ours') }, recordingReporter());
    const job = path.join(rig.folder, 'begin-job');
    await runTorch({ kind: 'evaluate', model: wrong, ...asked, output: output('theirs') }, job);
    const [ours, theirs] = [await answersIn(output('ours')), await answersIn(output('theirs'))];
    expect(maximumDifference(theirs.losses, ours.losses)).toBeLessThan(1e-3);
    const log = await readFile(path.join(job, 'trainer.log'), 'utf8');
    expect(log.match(/bos_token_id is 5, but the tokenizer's begin token has id 0/g)).toHaveLength(1);
  });

  test('resumes where loss.jsonl is damaged, and writes nothing once another attempt has started', async () => {
    const output = path.join(rig.folder, 'damaged');
    await runTorch(rig.job(output), output, { processes: 1 });
    const curve = await readFile(path.join(output, 'loss.jsonl'), 'utf8');
    await writeFile(path.join(output, 'loss.jsonl'), 'damaged');
    const { metrics } = await runTorch(rig.job(output), output, { processes: 1 });
    expect(metrics.resumedAtStep).toBeGreaterThan(0);
    expect((await readFile(path.join(output, 'loss.jsonl'), 'utf8')).split('\n')).toHaveLength(
      curve.split('\n').length,
    );
    expect(maximumDifference(await lossesIn(output), lossesOf(curve))).toBeLessThan(1e-4);

    const late = path.join(rig.folder, 'late');
    const started = path.join(rig.folder, 'started.json');
    await writeFile(started, JSON.stringify({ attempt: 'the newest' }));
    const fenced = runTorch(rig.job(late, { fence: { started, attempt: 'this one' } }), late, { processes: 1 });
    await expect(fenced).rejects.toThrow(/another attempt has started .*started\.json\): nothing is written/);
    expect(existsSync(path.join(late, 'loss.jsonl'))).toBe(false);
  });

  test('that is given invalid input reports it, and is not retried', async () => {
    const output = path.join(rig.folder, 'wrong');
    const wrong = runTorch(rig.job(output, { maximumTokens: 3, tooLong: 'error' }), output, { processes: 1 });
    await expect(wrong).rejects.toMatchObject({ kind: 'input', message: expect.stringContaining('maximumTokens') });
  });

  test('that starts from an adapter whose base model is lost is refused, naming the field', async () => {
    const startAdapter = path.join(rig.folder, 'lora-ga');
    const fixture = path.join(import.meta.dirname, '../../fixtures/tiny-blip2-adapter');
    await cp(fixture, startAdapter, { recursive: true });
    const file = path.join(startAdapter, 'adapter_config.json');
    await writeFile(
      file,
      (await readFile(file, 'utf8')).replace(/"init_lora_weights": true/, '"init_lora_weights": "lora_ga"'),
    );
    const output = path.join(rig.folder, 'started');
    const refused = runTorch(rig.job(output, { startAdapter }), output, { processes: 1 });
    await expect(refused).rejects.toMatchObject({
      kind: 'input',
      message: expect.stringContaining('init_lora_weights'),
    });
  });

  test('of a model whose files lack a tensor is refused, naming it: transformers would make it up', async () => {
    const output = path.join(rig.folder, 'headless');
    const model = path.join(rig.folder, 'headless-model');
    await cp(rig.job(output).model, model, { recursive: true });
    const whole = await openSafetensors(path.join(rig.job(output).model, 'model.safetensors'));
    const kept = [...whole.tensors.values()].filter(({ name }) => !name.includes('lm_head'));
    const tensors = kept.map(({ name, shape }) => ({ name, shape, data: () => whole.read(name) }));
    await writeSafetensors(path.join(model, 'model.safetensors'), tensors);
    await whole.close();
    const refused = runTorch(rig.job(output, { model }), output, { processes: 1 });
    await expect(refused).rejects.toMatchObject({
      kind: 'input',
      message: expect.stringMatching(/lm_head.*is missing/),
    });
  });

  test('that needs DeepSpeed where there is none names the command to run, and is not retried', async () => {
    const output = path.join(rig.folder, 'without-deepspeed');
    // Found before the environment's own.
    const missing = path.join(rig.folder, 'missing');
    await mkdir(missing);
    await writeFile(path.join(missing, 'deepspeed.py'), "raise ModuleNotFoundError('none', name='deepspeed')\n");
    vi.stubEnv('PYTHONPATH', missing);
    onTestFinished(() => void vi.unstubAllEnvs());
    const wanting = runTorch(rig.job(output), output, { sharding: 'deepspeed' });
    await expect(wanting).rejects.toMatchObject({
      kind: 'input',
      retryable: false,
      message: expect.stringContaining('dataengine setup --deepspeed'),
    });
  });
});
