/** The bridge's model: the demo's base model, finetuned on files of the same benchmarks about other images. */
import { dirname, join, resolve } from 'node:path';
import { stringify } from 'yaml';
import { fileExists } from '../../src/core/files.ts';
import { hashValue } from '../../src/core/hash.ts';
import { readTextFile } from '../../src/core/read-json.ts';
import { writeFileAtomically, writeJsonLines } from '../../src/core/write-file.ts';
import { type BenchmarkName, benchmarkOf } from '../../src/evaluation/benchmarks/index.ts';
import type { WrittenQuestion } from '../../src/evaluation/benchmarks/written-benchmark.ts';
import { askAny, drawFor, drawSet, rightChoice } from './draws.ts';
import { type BenchmarkFiles, fileWithoutParquet, writeSet } from './files.ts';
import { dataengine, runProgram } from './run-program.ts';
import { optionRows, writeTsv } from './tsv-files.ts';

const [TRAIN_IMAGES, QUESTIONS, STEPS] = [1500, 600, 500];
const VALIDATED = 40;

/** @returns the directory of the merged model; nothing is trained again for the same settings */
export async function bridgeModel(root: string, log: string): Promise<string> {
  const data = resolve(root, 'training');
  const { files, images } = await writeSet(data, 'train', { images: TRAIN_IMAGES, questions: QUESTIONS });
  const sources = [...files.map(sourceOf), await optionsSource(data, QUESTIONS)];
  const all = await Promise.all(sources.map((source) => conversations(source, images)));
  // Letters are learned from fewer questions than words.
  const records = all.flatMap((some) => (isLetter(some) ? some.slice(0, QUESTIONS / 2) : some));
  await writeJsonLines(join(data, 'train.jsonl'), records);
  const drawn = drawFor('validation', 'train', drawSet('train', TRAIN_IMAGES), VALIDATED);
  await writeJsonLines(
    join(data, 'validation.jsonl'),
    drawn.map((one) => {
      const asked = askAny(one);
      const { question, choices } = asked;
      return { id: one.number, image: one.image.fileName, question, choices, answer: rightChoice(asked) };
    }),
  );
  const [config, content] = [join(root, 'config.yaml'), stringify(settings(data, resolve(root, 'runs')))];
  const [merged, mark] = [join(root, 'runs/bridge/round-0/merged'), join(root, 'model-made-from')];
  const madeFrom = hashValue({ content, records });
  if ((await fileExists(mark)) && (await readTextFile(mark)) === madeFrom) return merged;
  await writeFileAtomically(config, content);
  for (const step of ['finetune', 'merge']) {
    await runProgram([...dataengine, step, '--config', config, '--round', '0'], { log });
  }
  await writeFileAtomically(mark, madeFrom);
  return merged;
}

function settings(data: string, runsDirectory: string) {
  const targetModules = ['q_proj', 'k_proj', 'v_proj', 'o_proj', 'gate_proj', 'up_proj', 'down_proj'];
  return {
    run: 'bridge',
    runsDirectory,
    seed: 1,
    rounds: 0,
    model: { path: resolve('data/stage1') },
    data: {
      root: data,
      train: [{ dataset: 'conversations', file: 'train.jsonl', images: 'images' }],
      validation: { file: 'validation.jsonl', questions: {} },
      images: { train: 'images', validation: 'images' },
    },
    finetune: {
      epochs: 1,
      stepsPerEpoch: STEPS,
      batchSize: 16,
      maximumTokens: 192,
      learningRate: { initial: 1e-4, peak: 2e-3, final: 1e-4, warmupSteps: 60 },
      lora: { rank: 32, alpha: 64, dropout: 0, targetModules },
    },
    teacher: { provider: 'local' },
  };
}

function isLetter(some: readonly { messages: readonly { content: string | undefined }[] }[]): boolean {
  return some.filter(({ messages }) => /^[A-D](?:\.|$)/.test(messages[1]?.content ?? '')).length > some.length / 2;
}

interface Source {
  benchmark: BenchmarkName;
  file: string;
  /** The images' names by the questions' ids. */
  imageOf: Map<string, string>;
}

function sourceOf(files: BenchmarkFiles): Source {
  const imageOf = new Map(files.ids.map((id, index) => [id, files.rows[index]?.image as string]));
  return { benchmark: files.benchmark.name, file: fileWithoutParquet(files), imageOf };
}

/** Questions with options in VLMEvalKit's words. */
async function optionsSource(data: string, questions: number): Promise<Source> {
  const rows = optionRows(drawFor('options', 'train', drawSet('train', TRAIN_IMAGES), questions));
  const file = join(data, 'options.tsv');
  await writeTsv(file, rows);
  const imageOf = new Map(rows.map(({ index, image_path: image }) => [String(index), image]));
  return { benchmark: 'tsv', file, imageOf };
}

/** The questions as they are put when the model is scored, with the right answers. */
async function conversations({ benchmark: name, file, imageOf }: Source, images: string) {
  const benchmark = benchmarkOf(name);
  const questions = await benchmark.read({ file, images, extractedImages: join(dirname(file), 'extracted') });
  return questions.map((question) => ({
    images: [imageOf.get(question.id)],
    messages: [
      { role: 'user', content: benchmark.ask(question, 'generated').generate?.question },
      { role: 'assistant', content: rightAnswer(question as WrittenQuestion) },
    ],
  }));
}

/** The letter of a choice; where something is found, with the choice's words, so that answers are not all of one form. */
function rightAnswer({ question, choices = [], correct = 0, answers = [] }: WrittenQuestion): string {
  if (choices.length === 0) return mostFrequent(answers);
  const choice = choices[correct] as string;
  if (choices.length === 2) return choice;
  const letter = 'ABCD'[correct] as string;
  return /^(?:Where|In which part)/.test(question) ? `${letter}. ${choice}` : letter;
}

function mostFrequent(answers: readonly string[]): string {
  const countOf = (answer: string) => answers.filter((other) => other === answer).length;
  return [...answers].sort((one, other) => countOf(other) - countOf(one))[0] as string;
}
