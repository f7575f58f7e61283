/** Every benchmark of the registry can be asked at an endpoint, in each of its answer modes. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { type BenchmarkName, benchmarkNames, benchmarkOf } from '../../../src/evaluation/benchmarks/index.ts';
import { evaluateEndpoint } from '../../../src/round/evaluate/evaluate-endpoint.ts';
import { plainImage } from '../../evaluation/benchmarks/official-files.ts';
import { temporaryFolder } from '../../helpers/temporary-folder.ts';
import { input, server } from './endpoint-inputs.ts';

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
/** With tests of their own: evaluate-endpoint.test.ts, and tsv of the same reader as mmstar. */
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
