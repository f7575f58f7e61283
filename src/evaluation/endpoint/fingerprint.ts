/**
 * Which model answers at an endpoint. A server says its model's name alone, and another model may be behind it tomorrow: what
 * tells it apart is what it writes.
 */
import type { OpenAI } from 'openai';
import { hashValue } from '../../core/hash.ts';
import { encodePng } from '../../core/images/open-image.ts';
import { type EndpointMessage, scorePrompt, writeAnswer } from './client.ts';
import { leavesOpen, userMessage } from './questions.ts';
import type { Ranking } from './rankings.ts';

/** Never changed: an answer to other words is another fingerprint. The last four are about an image. */
const prompts = [
  'What is the capital of France? Answer in one sentence.',
  'Continue this list: apple, bicycle, cloud,',
  'Repeat these words backwards: one two three four five',
  'Write a short poem about a lighthouse.',
  'Describe this image in detail.',
  'Which colors does this image have?',
  'What is in the lower left corner of this image?',
  'How many shapes are in this image?',
] as const;
const promptsWithoutImage = 4;
/** Long enough to tell models apart; short, so that servers that round differently in each batch seldom show it. */
const tokensOfAnswer = 16;
/** Of the image, in pixels. */
const side = 224;

/** What is known of an endpoint before it is asked. */
export interface Identified {
  fingerprint: string;
  answers: string[];
}

/**
 * Asks the eight prompts greedily, one after another.
 *
 * @param blind whether all are asked without their image, for evaluations without images and servers of text models
 * @throws TeacherError; the signal's reason
 */
export async function identify(
  client: OpenAI,
  model: string,
  { blind, signal }: { blind: boolean; signal: AbortSignal },
): Promise<Identified> {
  const image = `data:image/png;base64,${(await testImage()).toString('base64')}`;
  const answers: string[] = [];
  for (const [index, prompt] of prompts.entries()) {
    const images = blind || index < promptsWithoutImage ? [] : [image];
    const request = { model, messages: [userMessage(prompt, images)], maximumTokens: tokensOfAnswer };
    answers.push((await writeAnswer(client, request, { signal })).text);
  }
  return { fingerprint: hashValue({ prompts, blind, answers }), answers };
}

/**
 * How an endpoint can rank choices: by log-probabilities where it gives those of a prompt whose last message, the assistant's,
 * it leaves open; else by what the model writes.
 *
 * @throws TeacherError of a failure that may pass; the signal's reason
 */
export async function rankingOf(client: OpenAI, model: string, signal: AbortSignal): Promise<Ranking> {
  const [question] = prompts;
  const scored = (answer: string) => {
    const messages: EndpointMessage[] = [userMessage(question, []), { role: 'assistant', content: answer }];
    return scorePrompt(client, { model, messages }, { signal });
  };
  try {
    const start = await scored('The answer is');
    const whole = await scored('The answer is (A) Paris');
    return start !== undefined && whole !== undefined && leavesOpen(start, whole) ? 'prompt-logprobs' : 'written';
  } catch (error) {
    signal.throwIfAborted();
    // Servers refuse fields that they don't know, or have no log-probabilities of prompts.
    if (error instanceof Error && 'status' in error && isRefusal(error.status)) return 'written';
    throw error;
  }
}

function isRefusal(status: unknown): boolean {
  return status === 400 || status === 422 || status === 501;
}

/** A gradient with a red square in its lower left corner: the same bytes of pixels everywhere. */
async function testImage(): Promise<Buffer> {
  const data = new Uint8Array(side * side * 3);
  for (let y = 0; y < side; y++) {
    for (let x = 0; x < side; x++) {
      const isSquare = x < side / 4 && y >= (side * 3) / 4;
      data.set(isSquare ? [220, 30, 30] : [x, y, 128], (y * side + x) * 3);
    }
  }
  return encodePng({ width: side, height: side, data });
}
