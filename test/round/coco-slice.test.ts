/**
 * Real photos, captions, boxes and questions, in the official layout, through every step of round 0 and of one
 * data round, with the real trainer. The model is tiny and random: no score means anything.
 */
import { access, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { loadConfig } from '../../src/config/load-config.ts';
import { readEngineData } from '../../src/datasets/engine-data.ts';
import { imageFolder } from '../../src/datasets/image-folder.ts';
import { append } from '../../src/round/append/append.ts';
import { classify } from '../../src/round/classify/classify.ts';
import { embed } from '../../src/round/embed/embed.ts';
import { evaluate } from '../../src/round/evaluate/evaluate.ts';
import { finetune } from '../../src/round/finetune/finetune.ts';
import { freezeConfig } from '../../src/round/frozen-config.ts';
import { generate } from '../../src/round/generate/generate.ts';
import { merge } from '../../src/round/merge/merge.ts';
import { prepareData } from '../../src/round/prepare-data/prepare-data.ts';
import { refine } from '../../src/round/refine/refine.ts';
import { report } from '../../src/round/report/report.ts';
import { sample } from '../../src/round/sample/sample.ts';
import type { StepContext } from '../../src/round/step-context.ts';
import { extensions } from '../../workers/extensions.ts';
import { allAnnotations } from '../datasets/all-annotations.ts';
import { noSharedFiles, sharedFile } from '../helpers/shared-files.ts';
import { writeTinyModel } from '../helpers/tiny-model.ts';

const configFile = path.join(import.meta.dirname, '../../configs/coco-slice.yaml');
const slice = sharedFile('real-slice');
const QUESTIONS = 10;

describe.skipIf(slice === undefined)(
  `configs/coco-slice.yaml on real data (${noSharedFiles})`,
  { timeout: 240_000 },
  () => {
    const root = slice as string;
    let folder: string;
    let context: StepContext;

    beforeAll(async () => {
      folder = await mkdtemp(path.join(tmpdir(), 'coco-slice-'));
      const model = path.join(folder, 'model');
      await writeTinyModel(model);
      const config = await loadConfig(configFile, { dataRoot: root });
      const frozen = await freezeConfig(
        {
          ...config,
          runsDirectory: path.join(folder, 'runs'),
          cacheDirectory: path.join(folder, 'cache'),
          model: { path: model, tokenBoundaries: 'separate' },
          data: { ...config.data, validation: { ...config.data.validation, limit: QUESTIONS } },
          // The tiny tokenizer knows the demo's words only: real ones take a token for every letter or two.
          finetune: {
            ...config.finetune,
            stepsPerEpoch: 4,
            batchSize: 4,
            maximumTokens: 400,
            learningRate: { ...config.finetune.learningRate, warmupSteps: 1 },
          },
          sampling: { ...config.sampling, requests: 12 },
        },
        'coco-slice',
      );
      context = {
        config: frozen.config,
        run: frozen.directory,
        round: 0,
        onProgress: () => undefined,
        signal: new AbortController().signal,
        extensions,
      };
    });
    afterAll(() => rm(folder, { recursive: true, force: true }));

    const inRound = (round: number): StepContext => ({ ...context, round });
    const readJsonFile = async (...parts: string[]) =>
      JSON.parse(await readFile(path.join(context.run.root, ...parts), 'utf8'));

    async function measure(round: number) {
      const finetuned = await finetune(inRound(round));
      const merged = await merge(inRound(round));
      return {
        finetuned,
        merged,
        evaluated: await evaluate(inRound(round)),
        classified: await classify(inRound(round)),
      };
    }

    test('the environment variable names the folder of the data', async () => {
      vi.stubEnv('COCO_SLICE', root);
      try {
        expect((await loadConfig(configFile)).data.root).toBe(root);
      } finally {
        vi.unstubAllEnvs();
      }
    });

    test('the data is complete, and the teacher classifies the questions, which have no types of their own', async () => {
      const prepared = await prepareData(inRound(0));
      expect(prepared.questions).toBe(QUESTIONS);
      expect(prepared.images).toBeGreaterThan(60);
      expect(Object.keys(await readJsonFile('question_types.json'))).toHaveLength(QUESTIONS);
    });

    test('round 0 trains on the questions, merges, scores and classifies its bad cases', async () => {
      const { finetuned, merged, evaluated, classified } = await measure(0);
      expect(finetuned).toMatchObject({ samples: 50, steps: 4, loss: expect.any(Number) });
      expect(merged.parity).toBeLessThan(1e-3);
      expect(evaluated.questions).toBe(QUESTIONS);
      expect(evaluated.multipleChoice).toBeCloseTo(100 * (1 - classified.badCases / QUESTIONS), 5);
      expect(classified.badCases).toBeGreaterThan(0);
    });

    test('round 1 writes samples about photos of the pool, in the reference format, and trains on them', async () => {
      const embedded = await embed(inRound(1));
      expect(embedded.images).toBeGreaterThan(QUESTIONS);
      const sampled = await sample(inRound(1));
      expect(sampled.requests).toBe(12);
      await generate(inRound(1));
      const refined = await refine(inRound(1));
      expect(refined.accepted).toBeGreaterThan(0);
      const appended = await append(inRound(1));
      expect(appended.samplesAdded).toBe(refined.accepted);

      const samples = await readEngineData(path.join(context.run.root, 'round-1', 'DataEngine_round1_data.json'));
      const annotations = (name: string) => path.join(root, 'COCO2017', 'annotations', name);
      const images = await allAnnotations({
        instances: annotations('instances_train2017.json'),
        captions: annotations('captions_train2017.json'),
      });
      for (const { image_id, choices, correct_choice_idx } of samples) {
        await access(await imageFolder(path.join(root, 'COCO2017', 'train2017')).fileOf(image_id));
        expect(images.find(({ id }) => id === image_id)?.captions).not.toEqual([]);
        expect(choices).toHaveLength(4);
        expect(choices[correct_choice_idx ?? -1]).toBeTruthy();
      }
      expect(new Set(samples.map(({ image_id }) => image_id)).size).toBe(samples.length);

      const { finetuned, evaluated } = await measure(1);
      expect(finetuned.samples).toBe(50 + refined.accepted);
      expect(evaluated.questions).toBe(QUESTIONS);
    });

    test('the report shows both rounds', async () => {
      const { file } = await report(inRound(1));
      expect(await readFile(file, 'utf8')).toContain('</html>');
    });
  },
);
