/** What `npm run fuzz` feeds: what an endpoint that is evaluated may answer, besides chat completions (`parsers.ts`). */
import { readScoredPrompt } from '../../src/evaluation/endpoint/client.ts';
import { parserTarget } from './parsers.ts';

const scored = {
  id: 'x',
  object: 'chat.completion',
  model: 'toy',
  choices: [{ index: 0, message: { role: 'assistant', content: 'a' }, finish_reason: 'length' }],
  usage: { prompt_tokens: 3, completion_tokens: 1, total_tokens: 4 },
  prompt_logprobs: [
    null,
    { 12: { logprob: -0.5, rank: 1, decoded_token: ' a' } },
    { 7: { logprob: -9999, rank: 31_000, decoded_token: '' } },
  ],
};

export const endpointTargets = [
  parserTarget({
    name: 'prompt-logprobs',
    file: 'body.json',
    sample: async () => Buffer.from(JSON.stringify(scored)),
    parse: async (_, bytes) => {
      const { tokens = [] } = readScoredPrompt(jsonOr(bytes.toString('utf8'))) ?? {};
      for (const token of tokens) if (token !== null && !Number.isFinite(token.logprob)) throw new Error('no number');
    },
  }),
];

// The client parses a body only when its content type says JSON.
function jsonOr(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
