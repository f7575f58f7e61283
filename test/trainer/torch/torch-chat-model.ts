/**
 * Models that are none of the built-in families, through the same jobs: images by the model's own processor, words by its
 * chat template.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readJsonLines } from '../../../src/core/read-json.ts';
import { writeFileAtomically } from '../../../src/core/write-file.ts';
import { openSafetensors } from '../../../src/model/files/safetensors.ts';
import { evaluationQuestionSchema } from '../../../src/trainer/job-files.ts';
import type { FinetuneJob, JobSpec } from '../../../src/trainer/protocol.ts';
import type { Sharding } from '../../../src/trainer/supervisor/trainer-command.ts';
import { lossesIn, maximumDifference, tinyFinetune } from '../../helpers/jobs.ts';
import { type TinyMixture, writeAsked, writeTinyMixture } from '../../helpers/tiny-model.ts';
import { isSetUp, runTorch, torchIsSetUp, torchPython } from './torch-jobs.ts';
import { answersIn } from './torch-rig.ts';

const STEPS = 8;
const SHARDED = (['fsdp', 'deepspeed'] as const).filter(isSetUp);

export function describeChatModel(kind: 'qwen2_5_vl' | 'llava_onevision' | 'llava_next' | 'internvl'): void {
  describe.skipIf(!torchIsSetUp)(`a tiny ${kind}`, () => {
    let folder: string;
    let model: string;
    let mixture: TinyMixture;
    const inFolder = (name: string) => path.join(folder, name);

    beforeAll(async () => {
      folder = await mkdtemp(path.join(tmpdir(), 'chat-'));
      model = inFolder('model');
      await torchPython('make-chat-model.py', kind, model);
      mixture = await writeTinyMixture(inFolder('mixture'), STEPS * 4);
    });
    afterAll(() => rm(folder, { recursive: true, force: true }));

    const job = (output: string, changes: Partial<FinetuneJob> = {}): FinetuneJob =>
      tinyFinetune(model, mixture, output, {
        lora: { rank: 4, alpha: 8, dropout: 0, targetModules: ['q_proj', 'v_proj', 'down_proj'] },
        steps: STEPS,
        batchSize: 4,
        microBatchSize: 4,
        checkpointEverySteps: 4,
        ...changes,
      });

    test('learns answers, and those alone, alike with one process and with sharded weights', async () => {
      const one = inFolder('one');
      await runTorch(job(one), one, { processes: 1 });
      const losses = await lossesIn(one);
      for (const sharding of SHARDED) {
        const sharded = inFolder(sharding);
        await runTorch(job(sharded), sharded, { sharding });
        expect(maximumDifference(await lossesIn(sharded), losses), sharding).toBeLessThan(1e-3);
      }
      expect(losses.at(-1)).toBeLessThan((losses[0] as number) - 0.2);

      // A new adapter changes nothing: the first loss of a batch of all samples is the base model's.
      const count = mixture.samples.length;
      const all = inFolder('all');
      const order = inFolder('all.json');
      await writeFileAtomically(order, JSON.stringify([...mixture.samples.keys()]));
      await runTorch(job(all, { order, steps: 1, batchSize: count, microBatchSize: count }), all, { processes: 1 });
      const reference = Number(await torchPython('chat-reference.py', model, mixture.samplesFile, String(count)));
      expect((await lossesIn(all))[0]).toBeCloseTo(reference, 3);
    });

    test('is merged, ranks choices, writes answers and embeds images', async () => {
      const adapter = inFolder('adapter');
      await runTorch(job(adapter, { steps: 2 }), adapter, { processes: 1 });
      await writeFileAtomically(path.join(model, 'LICENSE'), 'free');
      await writeFileAtomically(path.join(model, 'adapter_config.json.tmp'), '{}');
      const output = inFolder('merged');
      const parity = { samples: mixture.samplesFile, count: 4, tolerance: 1e-3 };
      const merged = await runTorch({ kind: 'merge', model, adapter, output, parity }, inFolder('job'), {
        processes: 1,
      });
      expect(merged.metrics.maximumDifference).toBeLessThan(1e-4);
      expect(merged.outputs).toEqual(
        expect.arrayContaining([
          'chat_template.jinja',
          'generation_config.json',
          'tokenizer.json',
          'config.json',
          'LICENSE',
        ]),
      );
      expect(merged.outputs).not.toContain('adapter_config.json.tmp');

      const questions = inFolder('questions.jsonl');
      const asked = (await readJsonLines(mixture.asked, evaluationQuestionSchema)).slice(0, 3);
      const generate = { question: 'Describe this image in detail.', maximumNewTokens: 5 };
      await writeAsked(questions, [
        ...asked.map((question) => ({ ...question, generate })),
        ...asked.map(({ image: _, ...question }) => ({ ...question, question_id: `${question.question_id}-blind` })),
      ]);
      const scored = async (name: string, settings: Parameters<typeof runTorch>[2]) => {
        const job = { kind: 'evaluate', model: output, questions, batchSize: 3, output: inFolder(name) } as const;
        await runTorch(job, inFolder('job'), settings);
        return answersIn(job.output);
      };
      const one = await scored('one.jsonl', { processes: 1 });
      expect(one.losses).toHaveLength(6 * 4);
      expect(maximumDifference(one.losses.slice(0, 12), one.losses.slice(12))).toBeGreaterThan(1e-3);
      expect(one.texts.map((text) => text !== undefined)).toEqual([true, true, true, false, false, false]);
      for (const sharding of SHARDED) {
        const sharded = await scored(`${sharding}.jsonl`, { sharding });
        expect(maximumDifference(sharded.losses, one.losses), sharding).toBeLessThan(1e-4);
        expect(sharded.texts, sharding).toEqual(one.texts);
      }

      const images = asked.flatMap(({ image }) => image ?? []);
      const embedded = async (sharding: Sharding) => {
        const output = inFolder(`embeddings-${sharding}.safetensors`);
        const job: JobSpec = { kind: 'embed', model, images: [...images, ...images], output };
        await runTorch(job, inFolder('job'), { sharding });
        const file = await openSafetensors(output);
        const rows = await file.read('embeddings');
        await file.close();
        expect(file.tensors.get('embeddings')?.shape).toEqual([2 * images.length, 32]);
        return rows;
      };
      const rows = await embedded('none');
      const width = 32;
      const row = (index: number) => rows.subarray(index * width, (index + 1) * width);
      expect(Math.hypot(...row(0))).toBeCloseTo(1, 5);
      expect(maximumDifference(row(0), row(images.length))).toBeLessThan(1e-6);
      for (const sharding of SHARDED)
        expect(maximumDifference(await embedded(sharding), rows), sharding).toBeLessThan(1e-5);
    });
  });
}
