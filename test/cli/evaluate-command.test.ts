import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { readJsonLines } from '../../src/core/read-json.ts';
import { type AokvqaQuestion, readAokvqa } from '../../src/datasets/aokvqa.ts';
import { readAokvqaPredictions } from '../../src/evaluation/aokvqa-predictions.ts';
import { readScores } from '../../src/evaluation/evaluation-files.ts';
import { evaluationAnswerSchema } from '../../src/trainer/job-files.ts';
import { maximumDifference } from '../helpers/jobs.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';
import { type TinyQuestions, writeTinyModel, writeTinyQuestions } from '../helpers/tiny-model.ts';
import { torchIsSetUp } from '../trainer/torch/torch-jobs.ts';
import { printedBy } from './in-this-process.ts';

describe('dataengine evaluate --benchmark', { timeout: 120_000 }, () => {
  let model: string;
  let tiny: TinyQuestions;

  beforeAll(async () => {
    const folder = await mkdtemp(join(tmpdir(), 'evaluate-command-'));
    model = join(folder, 'model');
    await writeTinyModel(model);
    tiny = await writeTinyQuestions(join(folder, 'data'), 4);
    return () => rm(folder, { recursive: true, force: true });
  });

  async function evaluate(...options: string[]) {
    const output = join(await temporaryFolder(), 'scores');
    return { output, printed: await printedBy('evaluate', '--model', model, '--output', output, ...options) };
  }
  const aokvqa = () => ['--benchmark', 'aokvqa', '--file', tiny.file, '--images', tiny.images];
  const answersIn = (output: string) => readJsonLines(join(output, 'ranking', 'losses.jsonl'), evaluationAnswerSchema);

  test('ranks the choices with a model that belongs to no run', async () => {
    const { output, printed } = await evaluate(...aokvqa(), '--answers', 'ranked');
    expect(printed).toContain(`In ${output}`);
    const answers = await answersIn(output);
    expect(answers).toHaveLength(4);
    for (const { losses, text } of answers) {
      expect(losses).toHaveLength(4);
      expect(text).toBeUndefined();
    }
    expect((await readScores(output)).questions).toBe(4);
  });

  test.skipIf(!torchIsSetUp)('scores with PyTorch where the options say so', async () => {
    const losses = async (trainer: string) => {
      const { output } = await evaluate(...aokvqa(), '--answers', 'ranked', '--trainer', trainer);
      return (await answersIn(output)).flatMap((answer) => answer.losses);
    };
    const [theirs, ours] = [await losses('torchrun'), await losses('tensorflow')];
    expect(maximumDifference(theirs, ours)).toBeLessThan(1e-3);
    expect(theirs).not.toEqual(ours);
  });

  test('lets the model write its answers where the options say so', async () => {
    const { output } = await evaluate(...aokvqa(), '--answers', 'generated', '--limit', '2');
    const answers = await answersIn(output);
    expect(answers).toHaveLength(2);
    for (const { text } of answers) expect(text).toBeTypeOf('string');
  });

  test("predicts a split without answers for A-OKVQA's leaderboard", async () => {
    const [question] = (await readAokvqa(tiny.file)) as [AokvqaQuestion];
    const { correct_choice_idx, direct_answers, difficult_direct_answer, rationales, ...asked } = question;
    const file = join(await temporaryFolder(), 'aokvqa_v1p0_test.json');
    await writeFile(file, JSON.stringify([asked]));
    const { output, printed } = await evaluate('--benchmark', 'aokvqa', '--file', file, '--images', tiny.images);
    expect(printed).toContain('The file has no answers: nothing to score.');
    const predictions = await readAokvqaPredictions(join(output, 'aokvqa_predictions.json'));
    expect(asked.choices).toContain(predictions[asked.question_id]?.multiple_choice);
  });

  test('rejects a metric for a benchmark that has its own, and a tolerance for a metric that has none', async () => {
    const files = ['--file', tiny.file, '--images', tiny.images];
    await expect(evaluate('--benchmark', 'aokvqa', ...files, '--metric', 'anls')).rejects.toThrow(
      /--metric: aokvqa is read and scored as its authors say/,
    );
    await expect(evaluate('--benchmark', 'questions', ...files, '--tolerance', '0.1')).rejects.toThrow(
      /--tolerance: exact-match has none/,
    );
  });

  test('refuses the metric judge where no config names a teacher, and says what to do', async () => {
    const files = ['--file', tiny.file, '--images', tiny.images];
    await expect(evaluate('--benchmark', 'questions', ...files, '--metric', 'judge')).rejects.toThrow(
      /--metric: judge has a teacher score the answers, and there is none without a config\. Name a config with a teacher/,
    );
  });

  test('rejects written answers for a benchmark that is only ranked, and an unknown way', async () => {
    const seed = ['--benchmark', 'seed-bench', '--file', tiny.file, '--images', tiny.images];
    await expect(evaluate(...seed, '--answers', 'generated')).rejects.toThrow(/--answers: seed-bench is ranked only/);
    await expect(evaluate(...seed, '--prompt', 'opencompass')).rejects.toThrow(/--prompt: opencompass is for written/);
    await expect(evaluate('--benchmark', 'vqa', '--file', tiny.file)).rejects.toThrow(/there is no benchmark 'vqa'/);
    const near = /there is no benchmark 'mmbenc'\. Did you mean mmbench\? Name one of aokvqa, /;
    await expect(evaluate('--benchmark', 'mmbenc', '--file', tiny.file)).rejects.toThrow(near);
  });
});
