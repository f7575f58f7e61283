/** One model, one answer, for a family of transformers: by our engine on PyTorch, which reads the chat template of merged/. */
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { readJsonLines } from '../../../src/core/read-json.ts';
import { askEngine } from '../../../src/serving/gate/ask-engine.ts';
import { type Answers, compareAnswers, tolerances } from '../../../src/serving/gate/compare-answers.ts';
import { startEngine } from '../../../src/serving/start-engine.ts';
import { evaluationAnswerSchema } from '../../../src/trainer/job-files.ts';
import { tinyFinetune } from '../../helpers/jobs.ts';
import { type TinyMixture, writeAsked, writeTinyMixture } from '../../helpers/tiny-model.ts';
import { runTorch, TORCH_TIMEOUTS, torchIsSetUp, torchPython } from '../../trainer/torch/torch-jobs.ts';

vi.setConfig(TORCH_TIMEOUTS);

const MAXIMUM_TOKENS = 8;
const choices = ['It is red', 'It is left of the dog', 'no'];

describe.skipIf(!torchIsSetUp)('a tiny LLaVA-NeXT, whose template puts nothing behind an answer', () => {
  let folder: string;
  let base: string;
  let adapter: string;
  let merged: string;
  let mixture: TinyMixture;
  let trained: Answers;

  beforeAll(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'one-answer-'));
    base = path.join(folder, 'base');
    adapter = path.join(folder, 'adapter');
    merged = path.join(folder, 'merged');
    await torchPython('make-chat-model.py', 'llava_next', base);
    mixture = await writeTinyMixture(path.join(folder, 'mixture'), 32);
    const lora = {
      rank: 4,
      alpha: 8,
      dropout: 0,
      targetModules: ['q_proj', 'v_proj', 'down_proj'] as [string, ...string[]],
    };
    const job = tinyFinetune(base, mixture, adapter, { lora, steps: 8, batchSize: 4, microBatchSize: 4 });
    await runTorch(job, adapter, { processes: 1 });
    const parity = { samples: mixture.samplesFile, count: 2, tolerance: 1e-3 };
    await runTorch({ kind: 'merge', model: base, adapter, output: merged, parity }, path.join(folder, 'job'), {
      processes: 1,
    });
    trained = await answersOf('base + adapter', base, { adapter });
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  const samples = () => mixture.samples.slice(0, 4);

  async function answersOf(name: string, model: string, adapters: Record<string, string> = {}): Promise<Answers> {
    const engine = await startEngine({ model, adapters, slots: 2 });
    try {
      const questions = samples().map(({ id, image, prompt }) => ({
        id,
        image: () => readFile(image),
        question: prompt,
        choices,
      }));
      const asked = { engine, model: engine.models.at(-1) as string, maximumTokens: MAXIMUM_TOKENS };
      return { name, answers: await askEngine(questions, asked) };
    } finally {
      await engine.close();
    }
  }

  test('base and adapter, the merged model as it is scored, and as it is served, give one answer', async () => {
    const questions = path.join(folder, 'questions.jsonl');
    const output = path.join(folder, 'answers.jsonl');
    await writeAsked(
      questions,
      samples().map(({ id, image, prompt }) => ({
        question_id: id,
        image,
        question: prompt,
        answerStart: '',
        answers: choices,
        generate: { question: prompt, maximumNewTokens: MAXIMUM_TOKENS },
      })),
    );
    const job = { kind: 'evaluate', model: merged, questions, batchSize: 2, output } as const;
    await runTorch(job, path.join(folder, 'job'), { processes: 1 });
    const scored = (await readJsonLines(output, evaluationAnswerSchema)).map(({ question_id, losses, text = '' }) => ({
      id: question_id,
      losses,
      text,
    }));
    for (const other of [{ name: 'the merged model', answers: scored }, await answersOf('the served model', merged)]) {
      const result = compareAnswers(trained, other, tolerances.float32);
      expect(result.difference, other.name).toBeUndefined();
      expect(result, other.name).toMatchObject({ compared: 'losses and texts', questions: 4, sameChoices: 4 });
    }
  });

  test('another chat template is found', async () => {
    const model = path.join(folder, 'template');
    await cp(merged, model, { recursive: true });
    const file = path.join(model, 'chat_template.jinja');
    await writeFile(file, (await readFile(file, 'utf8')).replaceAll("message['role'].upper() + ': '", "'Q: '"));
    const { difference } = compareAnswers(trained, await answersOf('the served model', model), tolerances.float32);
    expect(difference?.problem).toMatch(/^the loss of choice \d is/);
  });
});
