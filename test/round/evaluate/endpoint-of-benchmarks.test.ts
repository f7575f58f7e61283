/** Every benchmark of the registry can be asked at an endpoint, in each of its answer modes. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { writeJsonLines } from '../../../src/core/write-file.ts';
import { type BenchmarkName, benchmarkNames, benchmarkOf } from '../../../src/evaluation/benchmarks/index.ts';
import { evaluateEndpoint } from '../../../src/round/evaluate/evaluate-endpoint.ts';
import { plainImage, writeTable } from '../../evaluation/benchmarks/official-files.ts';
import { temporaryFolder } from '../../helpers/temporary-folder.ts';
import { answersIn, input, server } from './endpoint-inputs.ts';

const limit = 6;

/** Made files of the official layouts. */
const files: Partial<Record<BenchmarkName, string>> = {
  'seed-bench-2': 'SEED-Bench_v2_level1_2_3.json',
  pope: 'coco',
  mme: 'mme.jsonl',
  'scienceqa-img': 'problems.json',
  mmstar: 'mmstar.jsonl',
  ai2d: 'ai2d.jsonl',
  realworldqa: 'realworldqa.jsonl',
  mmmu: 'validation.jsonl',
  gqa: 'testdev_balanced_questions.json',
  textvqa: 'TextVQA_0.5.1_val.json',
  vqav2: 'v2_OpenEnded_mscoco_val2014_questions.json',
  'ok-vqa': 'OpenEnded_mscoco_val2014_questions.json',
  vizwiz: 'val.json',
  chartqa: 'test',
  docvqa: 'val_v1.0_withQT.json',
  'hallusion-bench': 'HallusionBench.json',
};
/** With tests of their own: evaluate-endpoint.test.ts, and below. */
const elsewhere: BenchmarkName[] = ['aokvqa', 'mmbench', 'seed-bench', 'questions', 'tsv'];

test('each benchmark is asked here or there', () => {
  expect([...Object.keys(files), ...elsewhere].sort()).toEqual([...benchmarkNames].sort());
});

const cases = Object.entries(files).flatMap(([name, file]) =>
  benchmarkOf(name as BenchmarkName).answerModes.flatMap((mode) =>
    (['vllm', 'refused'] as const).map((logprobs) => ({ name: name as BenchmarkName, file, mode, logprobs })),
  ),
);

test.each(cases)('$name, $mode, log-probabilities $logprobs', async ({ name, file, mode, logprobs }) => {
  const toy = await server({ logprobs });
  const image = join(await temporaryFolder(), 'image.jpg');
  await writeFile(image, await plainImage('red'));
  const set = {
    name,
    benchmark: name,
    file: `test/fixtures/benchmarks/${name}/${file}`,
    images: '/images',
    imageFile: async () => image,
    limit,
    // Most of the made files name images that are not there.
    blind: true,
    answerMode: mode,
  };
  const { scores } = await evaluateEndpoint(await input(toy.url, set));
  expect(scores.questions).toBeGreaterThan(0);
  expect(Object.keys(scores.measures).length).toBeGreaterThan(0);
  const asked = toy.received.filter(({ prompt_logprobs }) => prompt_logprobs !== undefined).length;
  const isRanked = scores.ranking !== undefined;
  if (isRanked) expect(scores.ranking).toBe(logprobs === 'vllm' ? 'prompt-logprobs' : 'written');
  // Beside the two by which it is found out what the server gives.
  if (logprobs === 'vllm') expect(asked > 2).toBe(isRanked);
});

describe.each(['vllm', 'refused'] as const)('log-probabilities %s', (logprobs) => {
  const ranking = logprobs === 'vllm' ? 'prompt-logprobs' : 'written';

  test('questions of your own: choices are ranked or written, short answers written', async () => {
    const toy = await server({ logprobs });
    const folder = await temporaryFolder();
    await writeFile(join(folder, 'a.jpg'), await plainImage('red'));
    const file = join(folder, 'questions.jsonl');
    const questions = [
      { image: 'a.jpg', question: 'What color is it?', choices: ['red', 'blue'], answer: 'red' },
      { image: 'a.jpg', question: 'What is it made of?', answer: 'steel' },
    ];
    await writeJsonLines(file, questions);
    const set = { name: 'own', benchmark: 'questions' as const, file, images: folder, blind: false };
    const { scores, folder: place } = await evaluateEndpoint(await input(toy.url, { ...set, answerMode: 'ranked' }));
    expect(scores).toMatchObject({ benchmark: 'questions', questions: 2, ranking });
    const [chosen, written] = await answersIn(place);
    expect(chosen?.losses).toHaveLength(logprobs === 'vllm' ? 2 : 0);
    if (logprobs !== 'vllm') expect([null, 0, 1]).toContain(chosen?.choice);
    expect(written?.losses).toEqual([]);
    expect(written?.text).toMatch(/^word\d+/);
    expect(
      toy.received.filter(({ messages }) => JSON.stringify(messages).includes('What color is it?'))[0]?.messages[0]
        ?.content,
    ).toEqual(expect.arrayContaining([expect.objectContaining({ type: 'image_url' })]));
  });

  test("a file of VLMEvalKit's layout", async () => {
    const toy = await server({ logprobs });
    const file = join(await temporaryFolder(), 'table.tsv');
    const image = (await plainImage('red')).toString('base64');
    const rows = [
      { index: 0, question: 'Which?', A: 'red', B: 'blue', answer: 'B', category: 'color', image },
      { index: 1, question: 'And now?', A: 'yes', B: 'no', answer: 'A', category: 'other', image },
    ];
    await writeTable(file, rows, ['index', 'question', 'A', 'B', 'answer', 'category', 'image']);
    const [answerMode = 'ranked' as const] = benchmarkOf('tsv').answerModes;
    const set = { name: 'table', benchmark: 'tsv' as const, file, blind: false, answerMode };
    const { scores, folder: place } = await evaluateEndpoint(await input(toy.url, set));
    expect(scores).toMatchObject({ benchmark: 'tsv', questions: 2 });
    expect(Object.keys(scores.measures).length).toBeGreaterThan(0);
    expect((await answersIn(place)).map(({ question_id }) => question_id)).toEqual(['0', '1']);
    const images = toy.received.filter(({ messages }) => /Which\?|And now\?/.test(JSON.stringify(messages)));
    expect(images.every(({ messages }) => JSON.stringify(messages).includes('data:image/png;base64,'))).toBe(true);
  });
});

test('several images of a question go in their order', async () => {
  const toy = await server();
  const folder = await temporaryFolder();
  const [first, second] = [join(folder, 'a.jpg'), join(folder, 'b.jpg')];
  await writeFile(first, await plainImage('red'));
  await writeFile(second, await plainImage('blue'));
  const { askQuestion } = await import('../../../src/evaluation/endpoint/questions.ts');
  const { endpointClient } = await import('../../../src/evaluation/endpoint/client.ts');
  const { usualWorkerSettings } = await import('../../../src/core/worker-settings.ts');
  await askQuestion(
    {
      question_id: 'a',
      image: first,
      laterImages: [second],
      question: 'Which is red?',
      answerStart: '',
      answers: [],
      generate: { question: 'Which is red?', maximumNewTokens: 8 },
    },
    {
      client: endpointClient({ url: toy.url, requestTimeoutSeconds: 30 }, usualWorkerSettings()),
      ...{ model: 'toy', ranking: 'written', exif: 'apply', call: 'c', signal: new AbortController().signal },
    },
  );
  const [{ messages: [message] = [] } = {}] = toy.received;
  const parts = typeof message?.content === 'string' ? [] : (message?.content ?? []);
  expect(parts.map(({ type }) => type)).toEqual(['image_url', 'image_url', 'text']);
  expect(new Set(parts.map((part) => JSON.stringify(part))).size).toBe(3);
});
