import { join } from 'node:path';
import { buildMessages } from '../../src/generation/prompt.ts';
import { readQuestionTypes } from '../../src/generation/question-types.ts';
import { refineAnswers } from '../../src/generation/refine.ts';
import type { GenerationRequest } from '../../src/generation/sample-requests.ts';
import { askChunk } from '../../src/teacher/ask-chunk.ts';
import { askWithRetries } from '../../src/teacher/ask-with-retries.ts';
import { createPacer } from '../../src/teacher/pacer.ts';
import type { TokenSum } from '../../src/teacher/prices.ts';
import { readPromptTemplate } from '../../src/teacher/prompt-template.ts';
import { openaiClient } from '../../src/teacher/providers/openai.ts';
import { createTeacherAsker } from '../../src/teacher/request-asker.ts';
import type { SamplingSettings } from '../../src/teacher/teacher.ts';
import { teacherSettings } from '../demo/local-teacher/running-teacher.ts';
import { annotatedImage } from '../generation/images.ts';
import { request } from '../generation/requests.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';
import { completionOf, type FaultyReply, faultyServer, goodAnswer, type Received } from './faulty-server.ts';

const template = await readPromptTemplate('configs/prompts/generate-v1.md');
const questionTypes = await readQuestionTypes('configs/question-types.yaml');
export const example = { idx: 'a', prompt: 'Question: What is it? '.repeat(40) };
export const six = Array.from({ length: 6 }, (_, index) => request(index + 1, { examples: [example, example] }));

/** Asks six requests as a round does, with retries, and refines the answers. */
export async function setUp(reply: (received: Received) => FaultyReply, changes: Partial<SamplingSettings> = {}) {
  const { received, baseUrl } = await faultyServer(reply);
  const settings = { ...teacherSettings, ...changes };
  const client = openaiClient({ ...settings, baseUrl }, { OPENAI_API_KEY: 'sk-fake-000' });
  const asker = createTeacherAsker<GenerationRequest>({
    client,
    settings: () => settings,
    storeAnswers: false,
    examples: (one) => one.examples.length,
    messages: (one, dropped) => {
      const examples = one.examples.slice(0, one.examples.length - dropped);
      const image = annotatedImage({ id: one.image_id, captions: ['a box'] });
      return buildMessages({ request: { ...one, examples }, image, questionTypes, template });
    },
  });
  const folder = join(await temporaryFolder(), 'calls');
  const signal = new AbortController().signal;
  const generate = (mayCost?: (tokens: TokenSum) => boolean) =>
    askWithRetries(
      () =>
        askChunk({ requests: six, folder, chunk: 0, asker, pacer: createPacer({}), concurrency: 2, signal, mayCost }),
      { attempts: 40, sleep: async () => undefined },
    );
  const refine = async () => {
    const { calls } = await generate();
    return refineAnswers({ answers: [...calls.answers.values()], earlierSamples: [], seed: 1 });
  };
  return { received, asker, generate, refine };
}

/** A reply of which nothing is wrong. */
export const goodReply = ({ number }: Received): FaultyReply => ({ body: completionOf(goodAnswer(number)) });
