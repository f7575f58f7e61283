/** The cases `bugs/02`, `03`, `07` and `16`: answers of servers of chat completions, as found in the field. */
import { describe, expect, test } from 'vitest';
import type { GenerationRequest } from '../../src/generation/sample-requests.ts';
import { goodReply, setUp, six } from './faulty-round.ts';
import { completionOf, goodAnswer, goodJson, type Received } from './faulty-server.ts';

describe('bugs/02-finish-reason', () => {
  const cut = (number: number) => goodAnswer(number).slice(0, -25);

  test('length: the answer is rejected as truncated, and the reason is stored', async () => {
    const reply = ({ number }: Received) => ({ body: completionOf(cut(number), { finish: 'length' }) });
    const { generate, refine } = await setUp(reply);
    const { calls } = await generate();
    expect(calls.answers.get('request-1')).toMatchObject({ finish_reason: 'length' });
    const { samples, countsByReason, rejected } = await refine();
    expect([samples.length, countsByReason]).toEqual([0, { truncated: 6 }]);
    expect(rejected[0]?.detail).toMatch(/teacher.maximumTokens/);
  });

  test('filter: the answer is rejected as refused by the filter', async () => {
    const reply = ({ number }: Received) => ({ body: completionOf(cut(number), { finish: 'content_filter' }) });
    const { refine } = await setUp(reply);
    const { countsByReason, rejected } = await refine();
    expect(countsByReason).toEqual({ refused: 6 });
    expect(rejected[0]?.detail).toMatch(/content filter stopped/);
  });

  test('nullcontent: an answer that is cut before its first word is truncated', async () => {
    const { refine } = await setUp(() => ({ body: completionOf(null, { finish: 'length' }) }));
    expect((await refine()).countsByReason).toEqual({ truncated: 6 });
  });
});

describe('bugs/03-usage-and-budget: a cap holds whatever the server reports', () => {
  const usages: [string, unknown][] = [
    ['ok', { prompt_tokens: 700, completion_tokens: 90, total_tokens: 790 }],
    ['nousage', undefined],
    ['partusage', { prompt_tokens: 700, total_tokens: 790 }],
    ['no counts', {}],
    ['zeros', { prompt_tokens: 0, completion_tokens: 0, total_tokens: 0 }],
    ['words', { prompt_tokens: '700', completion_tokens: null }],
    ['below zero', { prompt_tokens: -5000, completion_tokens: -5000, total_tokens: -10000 }],
  ];

  test.each(usages)('%s', async (_, usage) => {
    const { asker, generate, received } = await setUp(({ number }) => ({
      body: completionOf(goodAnswer(number), { usage }),
    }));
    const { promptTokens, completionTokens } = asker.most(six[0] as GenerationRequest);
    // Enough for one longest answer, and for half of another.
    const cap = 1.5 * (promptTokens + completionTokens);
    const { outOfBudget, calls } = await generate((tokens) => tokens.promptTokens + tokens.completionTokens <= cap);
    expect(outOfBudget).toBe(true);
    const spent = calls.charged.promptTokens + calls.charged.completionTokens;
    expect(spent).toBeGreaterThan(0);
    expect(spent).toBeLessThanOrEqual(cap);
    expect(received.length).toBeLessThan(6);
  });

  test.each(usages)('%s: every good answer is kept, and asked for once', async (_, usage) => {
    const { refine, received } = await setUp(({ number }) => ({ body: completionOf(goodAnswer(number), { usage }) }));
    expect((await refine()).samples).toHaveLength(6);
    expect(received).toHaveLength(6);
  });

  test('tokens of reasoning that only the total has are counted', async () => {
    const usage = { prompt_tokens: 700, completion_tokens: 90, total_tokens: 2790 };
    const { generate } = await setUp(({ number }) => ({ body: completionOf(goodAnswer(number), { usage }) }));
    expect((await generate()).calls.answers.get('request-1')?.usage.completionTokens).toBe(2090);
  });

  test('an answer that can’t be used is charged for too', async () => {
    const { generate } = await setUp((received) =>
      received.number === 0 ? { body: completionOf('', { choices: [] }) } : goodReply(received),
    );
    const { calls } = await generate();
    expect(calls).toMatchObject({ failedCalls: 1, charged: { promptTokens: 7 * 700, completionTokens: 7 * 90 } });
  });
});

describe('bugs/07-reasoning-teacher: the text is read', () => {
  const thought = '<think>\nThe picture shows a box. I need a question.\nQuestion: maybe about color?\n</think>\n\n';

  test.each<[string, (number: number) => string]>([
    ['think', (number) => thought + goodAnswer(number)],
    ['think, without its first mark', (number) => thought.replace('<think>', '') + goodAnswer(number)],
    ['thinkjson', (number) => thought + goodJson(number)],
    ['fencedjson', (number) => `\`\`\`json\n${goodJson(number)}\n\`\`\``],
    ['fenced JSON after words', (number) => `Here it is:\n\`\`\`json\n${goodJson(number)}\n\`\`\`\nEnjoy!`],
    ['fenced', (number) => `\`\`\`\n${goodAnswer(number)}\n\`\`\``],
    ['jsonok', goodJson],
    ['crlf', (number) => goodAnswer(number).replaceAll('\n', '\r\n')],
  ])('%s', async (_, content) => {
    const { refine } = await setUp(({ number }) => ({ body: completionOf(content(number)) }));
    const { samples, countsByReason } = await refine();
    expect([samples.length, countsByReason]).toEqual([6, {}]);
  });
});

describe('bugs/16-small', () => {
  test('refusal: rejected as refused, in the teacher’s words', async () => {
    const message = { refusal: "I can't help with that." };
    const { refine } = await setUp(() => ({ body: completionOf(null, { message }) }));
    const { countsByReason, rejected } = await refine();
    expect(countsByReason).toEqual({ refused: 6 });
    expect(rejected[0]?.detail).toBe("I can't help with that.");
  });

  test('azurefilter: rejected as refused by the filter', async () => {
    const message = "The response was filtered due to the prompt triggering Azure OpenAI's content management policy.";
    const error = { message, param: 'prompt', code: 'content_filter', status: 400 };
    const { refine } = await setUp(() => ({ status: 400, body: { error } }));
    const { countsByReason, rejected } = await refine();
    expect(countsByReason).toEqual({ refused: 6 });
    expect(rejected[0]?.detail).toMatch(/content filter refuses the request: .*Azure/);
  });
});
