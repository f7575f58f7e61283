import type { OpenAI } from 'openai';
import type { ChatCompletionCreateParamsNonStreaming } from 'openai/resources/chat/completions';
import { hashValue } from '../core/hash.ts';
import type { AnswerToRequest, RequestAsker } from './ask-chunk.ts';
import type { TeacherRequest } from './call-log.ts';
import { countPromptTokens, tokensOfImage } from './count-tokens.ts';
import type { ChatMessage } from './prompt-template.ts';
import { readCompletion } from './read-completion.ts';
import { askTeacher, requestBody, type SamplingSettings, type TeacherMessage } from './teacher.ts';
import { isRefusalOfContent, isTooLong, teacherErrorFrom } from './teacher-error.ts';

/** A `RequestAsker` that also makes the bodies of requests in batches. */
export interface TeacherAsker<Request extends TeacherRequest> extends RequestAsker<Request> {
  client: OpenAI;
  /** The request in the protocol's form. */
  body(request: Request): Promise<ChatCompletionCreateParamsNonStreaming>;
}

/**
 * Sends requests of one kind to a teacher. A prompt that is too long for the model is sent again with fewer in-context
 * examples; a refused request counts as answered, with its refusal.
 *
 * @param input.messages makes the prompt of a request, without the last `dropped` in-context examples
 * @param input.examples how many in-context examples a request has
 * @param input.settings the sampling settings of a request
 * @param input.image reads an image as a data URL, to attach it for a model with vision
 * @param input.storeAnswers has the teacher store its answers, so that lost ones can be found
 */
export function createTeacherAsker<Request extends TeacherRequest>(input: {
  client: OpenAI;
  storeAnswers: boolean;
  messages: (request: Request, dropped: number) => ChatMessage[];
  examples: (request: Request) => number;
  settings: (request: Request) => SamplingSettings;
  image?: ((request: Request) => Promise<string> | undefined) | undefined;
}): TeacherAsker<Request> {
  const { client, storeAnswers, messages, examples, settings, image } = input;
  const built = new WeakMap<Request, ChatMessage[]>();
  const messagesOf = (request: Request): ChatMessage[] => {
    const known = built.get(request) ?? messages(request, 0);
    built.set(request, known);
    return known;
  };
  const toSend = async (request: Request, dropped = 0): Promise<TeacherMessage[]> => {
    const text = dropped === 0 ? messagesOf(request) : messages(request, dropped);
    const url = await image?.(request);
    return url === undefined ? text : withImage(text, url);
  };
  const refused = (request: Request, refusal: string): AnswerToRequest => ({
    text: '',
    usage: { promptTokens: 0, completionTokens: 0, totalTokens: 0 },
    model: settings(request).model,
    requestHash: hashValue({ refusal }),
    refusal,
  });
  const body = async (request: Request) => requestBody(await toSend(request), settings(request), request.seed);

  const ask: RequestAsker<Request>['ask'] = async (request, call, signal) => {
    for (let dropped = 0; ; dropped += 1) {
      try {
        const options = { signal, seed: request.seed, call, store: storeAnswers };
        const answer = await askTeacher(client, await toSend(request, dropped), settings(request), options);
        return { ...answer, examplesDropped: dropped };
      } catch (error) {
        if (isRefusalOfContent(error)) return refused(request, error.message);
        if (!isTooLong(error)) throw error;
        if (dropped >= examples(request)) return refused(request, (error as Error).message);
      }
    }
  };

  return {
    client,
    most(request) {
      const promptTokens = countPromptTokens(messagesOf(request)) + (image ? tokensOfImage : 0);
      return { promptTokens, completionTokens: settings(request).maximumTokens };
    },
    ask,
    body,
    ...(storeAnswers &&
      ({
        find: async ({ call }, request, signal) => {
          try {
            const page = await client.chat.completions.list({ metadata: { call } }, { signal });
            const [found] = page.data;
            return found && readCompletion(found, await body(request));
          } catch (error) {
            signal.throwIfAborted();
            throw teacherErrorFrom(error);
          }
        },
      } satisfies Pick<RequestAsker<Request>, 'find'>)),
  };
}

function withImage(messages: readonly ChatMessage[], url: string): TeacherMessage[] {
  return messages.map((message, index) =>
    index === messages.length - 1 && message.role === 'user'
      ? {
          role: 'user',
          content: [
            { type: 'text', text: message.content },
            { type: 'image_url', image_url: { url, detail: 'low' } },
          ],
        }
      : message,
  );
}
