/**
 * A teacher with OpenAI's protocol that knows charts: it reads the facts of a request and asks by rules. One answer in twenty
 * is wrong, so that it is no better than a real one.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { z } from 'zod';
import { hashValue } from '../../src/core/hash.ts';
import { type SeededRandom, seededRandom } from '../../src/core/seeded-random.ts';
import { chartOfFacts } from './chart.ts';
import { ANSWERS, askAboutChart, CHART_QUESTION_TYPES } from './questions.ts';

export const teacherModel = 'charts-teacher';
const MISTAKE_RATE = 0.05;

const requestSchema = z.object({
  messages: z.array(z.object({ role: z.string(), content: z.string() })).min(1),
});

/** A question of the requested type about the chart of the facts; the same request gets the same answer. */
export function answerRequest(prompt: string): string {
  const section = (title: string) => prompt.match(new RegExp(`^## ${title}\\n+([\\s\\S]*?)\\n+##`, 'm'))?.[1] ?? '';
  const type = CHART_QUESTION_TYPES.find((one) => section('Question type').startsWith(`${one}:`));
  const chart = chartOfFacts(section('Captions'));
  if (type === undefined || chart === undefined) return 'Skip: the request has no chart, or no type of question.';
  const random = seededRandom(hashValue(prompt));
  const asked = askAboutChart(type, chart, random);
  if (!asked) return 'Skip: this chart has no such question with one answer.';
  const answer = random.uniform() < MISTAKE_RATE ? otherAnswer(asked.answer, random) : asked.answer;
  return [
    `Question: ${asked.question}`,
    `Answer: ${answer}`,
    'Explanations: The lengths and the order of the bars in the chart show it.',
  ].join('\n');
}

function otherAnswer(right: string, random: SeededRandom): string {
  const isNumber = (answer: string) => /^\d/.test(answer);
  return random.pick(ANSWERS.filter((answer) => answer !== right && isNumber(answer) === isNumber(right)));
}

/** Listens on this machine. `close` ends it. */
export async function startTeacher(): Promise<{ address: string; close: () => void }> {
  const server = createServer(async (request, response) => {
    const send = (status: number, body: object) =>
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    try {
      if (request.method === 'GET' && request.url === '/v1/models') {
        send(200, { object: 'list', data: [{ id: teacherModel, object: 'model', created: 0, owned_by: 'example' }] });
        return;
      }
      const { messages } = requestSchema.parse(JSON.parse(await text(request)));
      const prompt = messages.map(({ content }) => content).join('\n\n');
      const content = answerRequest(prompt);
      // About four characters a token.
      const [prompt_tokens, completion_tokens] = [prompt, content].map((one) => Math.ceil(one.length / 4)) as [
        number,
        number,
      ];
      send(200, {
        id: `chatcmpl-${hashValue(prompt).slice(0, 24)}`,
        object: 'chat.completion',
        created: Math.floor(Date.now() / 1000),
        model: teacherModel,
        choices: [{ index: 0, message: { role: 'assistant', content }, logprobs: null, finish_reason: 'stop' }],
        usage: { prompt_tokens, completion_tokens, total_tokens: prompt_tokens + completion_tokens },
      });
    } catch (error) {
      send(400, { error: { message: String(error), type: 'invalid_request_error' } });
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return { address: `http://127.0.0.1:${port}/v1`, close: () => server.close() };
}
