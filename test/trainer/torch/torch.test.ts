import { existsSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { openSafetensors, writeSafetensors } from '../../../src/model/files/safetensors.ts';
import { lossesIn, maximumDifference } from '../../helpers/jobs.ts';
import { describeTorchBesideOurs } from './torch-beside-ours.ts';
import { killLastRank, runTorch, TORCH_TIMEOUTS, torchIsSetUp } from './torch-jobs.ts';
import { type TorchRig, torchRig } from './torch-rig.ts';

vi.setConfig(TORCH_TIMEOUTS);

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
