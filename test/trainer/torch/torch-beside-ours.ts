/**
 * The trainer on PyTorch beside our own: the same job, the same numbers.
 */
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readJsonLines } from '../../../src/core/read-json.ts';
import { writeJsonLines } from '../../../src/core/write-file.ts';
import { evaluationQuestionSchema } from '../../../src/trainer/job-files.ts';
import { evaluate } from '../../../src/trainer/jobs/evaluate/evaluate.ts';
import { finetune } from '../../../src/trainer/jobs/finetune/finetune.ts';
import { validationScoreSchema } from '../../../src/trainer/jobs/finetune/validation.ts';
import { merge } from '../../../src/trainer/jobs/merge/merge.ts';
import type { EvaluateJob, FinetuneJob } from '../../../src/trainer/protocol.ts';
import { withFamily } from '../../../src/trainer/supervisor/trainer-step.ts';
import { lossesIn, maximumDifference, recordingReporter } from '../../helpers/jobs.ts';
import { writeAsked } from '../../helpers/tiny-model.ts';
import { isSetUp, runTorch, torchIsSetUp } from './torch-jobs.ts';
import { answersIn, type TorchRig, torchRig } from './torch-rig.ts';

export function describeTorchBesideOurs(family: 'minigpt4' | 'llava'): void {
  describe.skipIf(!torchIsSetUp)(`torchrun with two processes, ${family}`, () => {
    let rig: TorchRig;
    let inFolder: (name: string) => string;

    beforeAll(async () => {
      rig = await torchRig(family);
      inFolder = (name) => path.join(rig.folder, name);
    });
    afterAll(() => rig?.remove());

    test('the loss curve is our own trainer’s within 1e-3, and each reads the other’s adapter', async () => {
      const [ours, theirs] = [inFolder('ours'), inFolder('theirs')];
      await finetune(rig.job(ours), recordingReporter());
      await runTorch(rig.job(theirs), theirs);
      expect(maximumDifference(await lossesIn(theirs), await lossesIn(ours))).toBeLessThan(1e-3);

      await merge(rig.mergeJob(theirs, inFolder('merged-by-us')), recordingReporter());
      const model = inFolder('merged-by-them');
      const merged = await runTorch(rig.mergeJob(ours, model), inFolder('job'), { processes: 1 });
      expect(merged.metrics.maximumDifference).toBeLessThan(1e-4);

      const asked = { model, questions: rig.mixture.asked, batchSize: 4 };
      const [byUs, byThem] = [inFolder('by-us.jsonl'), inFolder('by-them.jsonl')];
      await evaluate({ ...asked, output: byUs }, recordingReporter());
      await runTorch({ kind: 'evaluate', ...asked, output: byThem }, inFolder('job'));
      const losses = (output: string) => answersIn(output).then((answers) => answers.losses);
      expect(maximumDifference(await losses(byThem), await losses(byUs))).toBeLessThan(1e-3);

      const narrow = inFolder('in-bfloat16.jsonl');
      const inBfloat16 = { kind: 'evaluate', ...asked, computeDtype: 'bfloat16', output: narrow } as const;
      await runTorch(inBfloat16, inFolder('job'));
      const difference = maximumDifference(await losses(narrow), await losses(byUs));
      expect(difference).toBeLessThan(0.03);
      expect(difference).toBeGreaterThan(1e-4);
    });

    test.each([undefined, 'fsdp'] as const)('keeps the state that ours keeps, sharded by %s', async (sharding) => {
      const asked = await readJsonLines(rig.mixture.asked, evaluationQuestionSchema);
      const questions = inFolder('validation.jsonl');
      const scoreOf = (index: number, choice: number) =>
        choice === rig.mixture.questions[index]?.correct_choice_idx ? 1 : 0;
      await writeJsonLines(
        questions,
        asked.map((one, index) => ({ ...one, scores: one.answers.map((_, choice) => scoreOf(index, choice)) })),
      );
      const changes = { steps: 6, checkpointEverySteps: 6, validation: { questions, everySteps: 2, batchSize: 3 } };
      const [ours, theirs] = [inFolder(`kept-${sharding}-by-us`), inFolder(`kept-${sharding}-by-them`)];
      const wanted = await finetune(rig.job(ours, changes), recordingReporter());
      const found = await runTorch(rig.job(theirs, changes), theirs, { sharding });
      expect(found.metrics.keptStep).toBe(wanted.metrics.keptStep);
      const scoresIn = (output: string) => readJsonLines(path.join(output, 'validation.jsonl'), validationScoreSchema);
      expect((await scoresIn(theirs)).map(({ step }) => step)).toEqual([2, 4, 6]);
      expect(await scoresIn(theirs)).toEqual(await scoresIn(ours));
    });

    test('with random parts of the images, the curve is the same, and another than without', async () => {
      const changes = { steps: 4, augmentation: 'random-resized-crop' as const };
      const [ours, theirs, whole] = [inFolder('parts-ours'), inFolder('parts-theirs'), inFolder('parts-none')];
      await finetune(rig.job(ours, changes), recordingReporter());
      await runTorch(rig.job(theirs, { ...changes, microBatchSize: 2 }), theirs);
      await finetune(rig.job(whole, { steps: 4 }), recordingReporter());
      expect(maximumDifference(await lossesIn(theirs), await lossesIn(ours))).toBeLessThan(1e-3);
      expect(maximumDifference(await lossesIn(whole), await lossesIn(ours))).toBeGreaterThan(1e-3);
    });

    test.runIf(family === 'minigpt4')(
      'with the token boundaries of the reference, curve and losses are the same',
      async () => {
        const [ours, theirs] = [inFolder('boundaries-ours'), inFolder('boundaries-theirs')];
        const jobIn = (output: string) => withFamily(rig.job(output, { steps: 4 }), 'reference');
        await finetune((await jobIn(ours)) as FinetuneJob, recordingReporter());
        await runTorch(await jobIn(theirs), theirs);
        expect(maximumDifference(await lossesIn(theirs), await lossesIn(ours))).toBeLessThan(1e-3);

        const [byUs, byThem] = [inFolder('boundaries-by-us.jsonl'), inFolder('boundaries-by-them.jsonl')];
        const asked = (output: string) =>
          withFamily(
            { kind: 'evaluate', model: rig.model, questions: rig.mixture.asked, batchSize: 4, output },
            'reference',
          );
        await evaluate((await asked(byUs)) as EvaluateJob, recordingReporter());
        await runTorch(await asked(byThem), inFolder('job'));
        const [found, wanted] = [await answersIn(byThem), await answersIn(byUs)];
        expect(maximumDifference(found.losses, wanted.losses)).toBeLessThan(1e-3);
      },
    );

    test('with groups whose losses are averaged on their own, the curve is the same', async () => {
      const changes = { steps: 4, groupSize: 1, maximumTokens: 60 };
      const [ours, inParts, theirs] = [inFolder('groups-ours'), inFolder('groups-parts'), inFolder('groups-theirs')];
      await finetune(rig.job(ours, changes), recordingReporter());
      await finetune(rig.job(inParts, { ...changes, microBatchSize: 2 }), recordingReporter());
      await runTorch(rig.job(theirs, changes), theirs);
      expect(maximumDifference(await lossesIn(inParts), await lossesIn(ours))).toBeLessThan(1e-4);
      expect(maximumDifference(await lossesIn(theirs), await lossesIn(ours))).toBeLessThan(1e-3);
    });

    const title = 'sharded by %s: the same curve within 1e-3, an adapter of the same format, the same answers';
    test.each((['fsdp', 'deepspeed'] as const).filter(isSetUp))(title, async (sharding) => {
      const inOwnFolder = (name: string) => inFolder(`${sharding}-${name}`);
      const [ours, theirs] = [inOwnFolder('ours'), inOwnFolder('theirs')];
      // In parts that don't divide evenly: one process has less to do than the other.
      const odd = { batchSize: 3, microBatchSize: 1, steps: 6 };
      await finetune(rig.job(ours, { ...odd, microBatchSize: 3 }), recordingReporter());
      await runTorch(rig.job(theirs, { ...odd, activationCheckpointing: true }), theirs, { sharding });
      expect(maximumDifference(await lossesIn(theirs), await lossesIn(ours))).toBeLessThan(1e-3);

      const log = await readFile(path.join(theirs, 'trainer.log'), 'utf8');
      const [, kept, whole] = /keeps ([\d.]+) of ([\d.]+) MB/.exec(log)?.map(Number) ?? [];
      expect(kept).toBeLessThan(0.6 * (whole as number));

      const model = inOwnFolder('merged');
      await merge(rig.mergeJob(theirs, model), recordingReporter());
      const questions = inOwnFolder('questions.jsonl');
      const [first, second, third] = await readJsonLines(rig.mixture.asked, evaluationQuestionSchema);
      if (!first || !second || !third) throw new Error('too few questions');
      await writeAsked(questions, [
        { ...first, generate: { question: first.question, maximumNewTokens: 3 } },
        { ...second, image: undefined },
        { ...third, answers: [], generate: { question: third.question, maximumNewTokens: 9, trimsTurn: true } },
      ]);
      const asked = { model, questions, batchSize: 4 };
      const [byUs, byThem] = [inOwnFolder('by-us.jsonl'), inOwnFolder('by-them.jsonl')];
      await evaluate({ ...asked, output: byUs }, recordingReporter());
      await runTorch({ kind: 'evaluate', ...asked, output: byThem }, inFolder('job'), { sharding });
      const [wanted, found] = [await answersIn(byUs), await answersIn(byThem)];
      expect(maximumDifference(found.losses, wanted.losses)).toBeLessThan(1e-3);
      // Ours writes as many tokens for each as the longest may have; the last character may be half a one.
      expect(wanted.texts[0]).toMatch(new RegExp(`^${found.texts[0]?.replace(/�+$/, '')}`));
      expect(found.texts.slice(1)).toEqual(wanted.texts.slice(1));
    });

    const mixedTitle = 'sharded by %s, where one process has images in its part and the other none: the same curve';
    test.each((['fsdp', 'deepspeed'] as const).filter(isSetUp))(mixedTitle, async (sharding) => {
      const mixed = rig.mixture.samples.map((sample, index) =>
        index % 2 === 0 ? sample : { ...sample, image: undefined, prompt: 'What is it?' },
      );
      const [samples, order] = [inFolder(`${sharding}-mixed.jsonl`), inFolder(`${sharding}-mixed-order.json`)];
      await writeJsonLines(samples, mixed);
      // Process 0 takes the even places of a batch.
      await writeFile(order, JSON.stringify([0, 1, 2, 3, 4, 5, 6, 7, 0, 3, 2, 1]));
      const changes = { samples, order, steps: 3 };
      const [ours, theirs] = [inFolder(`${sharding}-mixed-ours`), inFolder(`${sharding}-mixed-theirs`)];
      await finetune(rig.job(ours, changes), recordingReporter());
      await runTorch(rig.job(theirs, { ...changes, microBatchSize: 2 }), theirs, { sharding });
      expect(maximumDifference(await lossesIn(theirs), await lossesIn(ours))).toBeLessThan(1e-3);
    });
  });
}
