/** Requests to `/v1/chat/completions`: which fields and values are taken, and what they mean. */
import { z } from 'zod';
import { decodeBase64 } from '../core/base64.ts';
import { describeIssue } from '../core/describe-issue.ts';
import { cut, fieldPath } from '../core/input-error.ts';
import { deepestNesting, endOfText, findSyntaxError } from '../core/json-syntax.ts';
import { ApiError } from './api-error.ts';
import type { ChatTurn } from './engine.ts';

/** What a client asks for. */
export interface ChatCall {
  model: string;
  turns: ChatTurn[];
  /** Where in the request each image is, in the order of the turns. */
  images: { content: Buffer; param: string }[];
  /** undefined: as many as the server gives by default. */
  maxTokens: number | undefined;
  temperature: number;
  topP: number;
  stop: string[];
  /** undefined: each answer is drawn anew. */
  seed: number | undefined;
  topLogprobs: number | undefined;
  /** How many answers. */
  choices: number;
  stream: boolean;
  /** Whether a stream ends with what was used. */
  includeUsage: boolean;
  /** Whether the tokens of the prompt are scored (vLLM's extension), and whether its last turn, the assistant's, has no end mark. */
  scored: { openEnd: boolean; endsWithAnswer: boolean } | undefined;
}

const mostChoices = 8;
const mostStopTexts = 16;
/** Each token that is written is compared with every start of a stop text. */
const stopText = z.string().min(1, 'is empty').max(1000);
const mostValues = 10_000;
/** To find the place of an error in more text would take long. */
const longestExplained = 2 ** 20;
const [quote, comma, openBracket, closeBracket, openBrace, closeBrace] = [0x22, 0x2c, 0x5b, 0x5d, 0x7b, 0x7d];

/** A field of the protocol that is taken only where it changes nothing. */
const without = <const V extends readonly (string | number | boolean)[]>(...values: V) =>
  z
    .literal(values, {
      error: () => `is supported as ${values.map((value) => JSON.stringify(value)).join(' or ')} only`,
    })
    .nullish();

/** What chat clients send of themselves, at values that change nothing; also vLLM's names. */
const withoutEffect = {
  frequency_penalty: without(0),
  presence_penalty: without(0),
  repetition_penalty: without(1),
  top_k: without(0, -1),
  min_p: without(0),
  logit_bias: z.strictObject({}).nullish(),
  response_format: z.strictObject({ type: without('text') }).nullish(),
  modalities: z.tuple([z.literal('text')]).nullish(),
  tool_choice: without('none'),
  store: without(false),
  service_tier: without('auto', 'default'),
  // Names a person to OpenAI; nothing is kept here.
  user: z.string().nullish(),
};

const text = z.strictObject({ type: z.literal('text'), text: z.string() });
const image = z.strictObject({
  type: z.literal('image_url'),
  // Models have one size of images, so the detail has no effect.
  image_url: z.strictObject({ url: z.string(), detail: z.enum(['auto', 'low', 'high']).nullish() }),
});
const parts = <P extends z.ZodType>(part: P) => z.union([z.string(), z.array(part).min(1, 'is empty')]);
const message = z.discriminatedUnion('role', [
  z.strictObject({ role: z.literal(['system', 'developer']), content: parts(text) }),
  z.strictObject({ role: z.literal('user'), content: parts(z.discriminatedUnion('type', [text, image])) }),
  z.strictObject({ role: z.literal('assistant'), content: parts(text) }),
]);

const count = z.int().min(1).nullish();
const requestSchema = z.strictObject({
  ...withoutEffect,
  model: z.string(),
  messages: z.array(message).min(1, 'is empty'),
  max_tokens: count,
  max_completion_tokens: count,
  temperature: z.number().min(0).max(2).nullish(),
  top_p: z.number().gt(0).max(1).nullish(),
  n: z.int().min(1).max(mostChoices).nullish(),
  stop: z.union([stopText, z.array(stopText).max(mostStopTexts)]).nullish(),
  seed: z.int().nullish(),
  logprobs: z.boolean().nullish(),
  top_logprobs: z.int().min(0).max(20).nullish(),
  stream: z.boolean().nullish(),
  stream_options: z.strictObject({ include_usage: z.boolean().nullish() }).nullish(),
  prompt_logprobs: without(0),
  add_generation_prompt: z.boolean().nullish(),
  continue_final_message: z.boolean().nullish(),
});

type Request = z.output<typeof requestSchema>;

/**
 * Reads the body of a request.
 *
 * @throws ApiError that names the field
 */
export function parseChatRequest(body: string): ChatCall {
  const request = checked(body);
  requireSense(request);
  const images: ChatCall['images'] = [];
  const turns = request.messages.map((message, turn): ChatTurn => {
    const content =
      typeof message.content === 'string' ? [{ type: 'text' as const, text: message.content }] : message.content;
    return {
      role: message.role === 'developer' ? 'system' : message.role,
      content: content.map((part, index) => {
        if (part.type === 'text') return part;
        const param = `messages[${turn}].content[${index}].image_url.url`;
        const content = imageOf(part.image_url.url, param);
        images.push({ content, param });
        return { type: 'image', image: content };
      }),
    };
  });
  return {
    model: request.model,
    turns,
    images,
    maxTokens: request.max_completion_tokens ?? request.max_tokens ?? undefined,
    temperature: request.temperature ?? 1,
    topP: request.top_p ?? 1,
    stop: typeof request.stop === 'string' ? [request.stop] : (request.stop ?? []),
    seed: request.seed ?? undefined,
    topLogprobs: request.logprobs ? (request.top_logprobs ?? 0) : undefined,
    choices: request.n ?? 1,
    stream: request.stream ?? false,
    includeUsage: request.stream_options?.include_usage ?? false,
    scored:
      request.prompt_logprobs === 0
        ? { openEnd: request.continue_final_message ?? false, endsWithAnswer: turns.at(-1)?.role === 'assistant' }
        : undefined,
  };
}

/**
 * A request is few values, some of them long texts. To make objects of millions of small ones, and to check each, would hold up
 * everybody else.
 */
function requireFewValues(body: string): void {
  let values = 0;
  let depth = 0;
  for (let at = 0; at < body.length; at += 1) {
    const character = body.charCodeAt(at);
    if (character === quote) at = endOfText(body, at);
    else if (character === comma) values += 1;
    else if (character === openBracket || character === openBrace) depth += 1;
    else if (character === closeBracket || character === closeBrace) depth -= 1;
    if (values > mostValues) throw refused(`The body has more than ${mostValues} values`);
    if (depth > deepestNesting) throw refused(`The body is nested deeper than ${deepestNesting} levels`);
  }
}

function parsed(body: string): unknown {
  requireFewValues(body);
  try {
    return JSON.parse(body);
  } catch {
    if (body.length > longestExplained) throw refused('The body is not valid JSON');
    const { line, column, problem } = findSyntaxError(body);
    throw refused(`The body ${problem} (line ${line}, column ${column})`);
  }
}

function checked(body: string): Request {
  const result = requestSchema.safeParse(parsed(body));
  if (result.success) return result.data;
  const issue = deepest(result.error.issues);
  if (issue?.code === 'unrecognized_keys') {
    const param = fieldPath([...issue.path, issue.keys[0] ?? '']);
    throw refused(`Unsupported parameter: ${param}`, param, 'unsupported_parameter');
  }
  const { path, problem } = issue ? describeIssue(issue) : { path: [], problem: 'is not a request' };
  const param = fieldPath(path);
  throw refused(`${param || 'The body'}: ${problem}`, param, 'invalid_value');
}

/** Of a value that fits none of several shapes, what is wrong with the one that fits furthest. */
function deepest(issues: readonly z.core.$ZodIssue[]): z.core.$ZodIssue | undefined {
  const [issue] = issues;
  if (issue?.code !== 'invalid_union') return issue;
  const inner = issue.errors.flatMap((branch) => deepest(branch) ?? []);
  const depth = ({ path, code }: z.core.$ZodIssue) => path.length + (code === 'unrecognized_keys' ? 1 : 0);
  const furthest = inner.sort((left, right) => depth(right) - depth(left))[0];
  if (furthest === undefined || depth(furthest) === 0) return issue;
  return { ...furthest, path: [...issue.path, ...furthest.path] };
}

/** What no field shows alone. */
function requireSense(request: Request): void {
  const { max_tokens, max_completion_tokens, prompt_logprobs, add_generation_prompt, continue_final_message } = request;
  const require = (isFine: boolean, param: string, problem: string) => {
    if (!isFine) throw refused(`${param}: ${problem}`, param, 'invalid_value');
  };
  const differ = max_tokens && max_completion_tokens && max_tokens !== max_completion_tokens;
  require(!differ, 'max_tokens', 'differs from max_completion_tokens; give one of them');
  require(!request.top_logprobs || request.logprobs === true, 'top_logprobs', 'requires logprobs: true');
  require(!request.stream_options || request.stream === true, 'stream_options', 'requires stream: true');
  const isScored = prompt_logprobs === 0;
  require(!isScored || !request.stream, 'prompt_logprobs', 'is not supported in a stream');
  const last = request.messages.at(-1)?.role;
  const isAnswered = last === 'assistant';
  require(isAnswered || last === 'user', 'messages', "the last one is not the user's");
  require(!isAnswered || isScored, 'messages', "the last one is the assistant's, which is for prompt_logprobs only");
  const prompted = isAnswered ? "must be false where the last message is the assistant's" : 'is needed for an answer';
  require((add_generation_prompt ?? true) !== isAnswered, 'add_generation_prompt', prompted);
  require(isAnswered || !continue_final_message, 'continue_final_message', "the last message is not the assistant's");
}

const dataUri = /^data:image\/[a-z0-9.+-]{1,40};base64,/i;

/** The bytes of an image that is in the request. No address is opened. */
function imageOf(url: string, param: string): Buffer {
  const [head] = dataUri.exec(url.slice(0, 100)) ?? [];
  if (head === undefined) {
    const problem = 'only images within the request are supported (data:image/png;base64,…)';
    throw refused(`${param}: ${problem}`, param, 'invalid_image_url');
  }
  const content = decodeBase64(url.slice(head.length));
  if (content === undefined) throw refused(`${param}: is not base64`, param, 'invalid_base64');
  if (content.length === 0) throw refused(`${param}: is empty`, param, 'invalid_base64');
  return content;
}

function refused(message: string, param?: string, code?: string): ApiError {
  return new ApiError({ status: 400, message: cut(message), param: param ? cut(param) : undefined, code });
}
