/** Case `parity/torchrun-own-family-gaps`: directories that the TensorFlow trainer takes give the same under torchrun. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { readJsonLines } from '../../../src/core/read-json.ts';
import { writeJson } from '../../../src/core/write-file.ts';
import { type EvaluationQuestion, evaluationQuestionSchema } from '../../../src/trainer/job-files.ts';
import { evaluate } from '../../../src/trainer/jobs/evaluate/evaluate.ts';
import { finetune } from '../../../src/trainer/jobs/finetune/finetune.ts';
import { lossesIn, maximumDifference, recordingReporter, tinyFinetune } from '../../helpers/jobs.ts';
import { writeAsked, writeTinyMixture, writeTinyModel, writeTinyQuestions } from '../../helpers/tiny-model.ts';
import { runTorch, TORCH_TIMEOUTS, torchIsSetUp } from './torch-jobs.ts';
import { answersIn } from './torch-rig.ts';

const LORA = { rank: 4, alpha: 8, dropout: 0, targetModules: ['q_proj', 'v_proj', 'down_proj'] };

vi.setConfig(TORCH_TIMEOUTS);

describe.skipIf(!torchIsSetUp)('a directory of a built-in family', () => {
  let folder: string;
  let model: string;
  const inFolder = (name: string) => path.join(folder, name);

  beforeAll(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'gaps-'));
    model = inFolder('model');
    await writeTinyModel(model, { family: 'llava' });
    const { asked } = await writeTinyQuestions(inFolder('questions'), 2);
    const questions = await readJsonLines(asked, evaluationQuestionSchema);
    const generate = { question: 'What is it?', maximumNewTokens: 12 };
    await writeAsked(
      inFolder('asked.jsonl'),
      questions.map((question): EvaluationQuestion => ({ ...question, generate })),
    );
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  const answeredByUs = async (name: string, settings: { weightDtype?: 'bfloat16'; computeDtype?: 'float32' } = {}) => {
    const job = { model, questions: inFolder('asked.jsonl'), batchSize: 4, output: inFolder(name), ...settings };
    await evaluate(job, recordingReporter());
    return answersIn(job.output);
  };
  const answeredByThem = async (
    name: string,
    settings: { weightDtype?: 'bfloat16'; computeDtype?: 'float32' } = {},
  ) => {
    const job = { model, questions: inFolder('asked.jsonl'), batchSize: 4, output: inFolder(name), ...settings };
    await runTorch({ kind: 'evaluate', ...job }, inFolder('job'), { processes: 1 });
    return answersIn(job.output);
  };

  test('with processor_config.json alone, LLaVA’s processor and a list of end tokens, as transformers 5 writes it', async () => {
    const before = await answeredByUs('before.jsonl');
    const file = path.join(model, 'preprocessor_config.json');
    const settings = JSON.parse(await readFile(file, 'utf8'));
    const edges = settings.size;
    const image_processor = {
      ...settings,
      image_processor_type: 'LlavaImageProcessor',
      size: { shortest_edge: edges.height },
      crop_size: edges,
      do_center_crop: true,
      do_pad: true,
    };
    await writeJson(path.join(model, 'processor_config.json'), { processor_class: 'LlavaProcessor', image_processor });
    await rm(file);
    const tokenizer = JSON.parse(await readFile(path.join(model, 'tokenizer.json'), 'utf8'));
    // A letter that is written: what stands before it is what is left of an answer.
    const letter = [...(before.texts[0] ?? '')].find((one) => one in tokenizer.model.vocab) ?? 'e';
    const eos_token_id = [1, tokenizer.model.vocab[letter]];
    await writeFile(path.join(model, 'generation_config.json'), JSON.stringify({ eos_token_id }));
    const [wanted, found] = [await answeredByUs('ours.jsonl'), await answeredByThem('theirs.jsonl')];
    expect(maximumDifference(found.losses, wanted.losses)).toBeLessThan(1e-3);
    expect(found.texts).toEqual(wanted.texts);
  });

  test('stores weights in bfloat16 and computes in float32, as the job says', async () => {
    const narrow = { weightDtype: 'bfloat16', computeDtype: 'float32' } as const;
    const [wanted, found, exact] = [
      await answeredByUs('narrow-ours.jsonl', narrow),
      await answeredByThem('narrow-theirs.jsonl', narrow),
      await answeredByUs('exact.jsonl'),
    ];
    expect(maximumDifference(found.losses, wanted.losses)).toBeLessThan(1e-4);
    expect(maximumDifference(exact.losses, wanted.losses)).toBeGreaterThan(1e-4);

    // Sharded, and learning through them, too.
    const job = {
      model,
      questions: inFolder('asked.jsonl'),
      batchSize: 4,
      output: inFolder('sharded.jsonl'),
      ...narrow,
    };
    await runTorch({ kind: 'evaluate', ...job }, inFolder('job'), { sharding: 'fsdp' });
    expect(maximumDifference((await answersIn(job.output)).losses, wanted.losses)).toBeLessThan(1e-4);

    const mixture = await writeTinyMixture(inFolder('mixture'), 8);
    const start = inFolder('start');
    const settings = { ...narrow, steps: 4, batchSize: 2, microBatchSize: 2, lora: LORA };
    await finetune(tinyFinetune(model, mixture, start, { ...settings, steps: 1 }), recordingReporter());
    const [ours, theirs] = [inFolder('ours'), inFolder('theirs')];
    const learning = (output: string) =>
      tinyFinetune(model, mixture, output, { ...settings, startAdapter: start, activationCheckpointing: true });
    await finetune(learning(ours), recordingReporter());
    await runTorch(learning(theirs), theirs, { processes: 1 });
    expect(maximumDifference(await lossesIn(theirs), await lossesIn(ours))).toBeLessThan(1e-3);
  });
});
