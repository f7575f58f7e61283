import type { OpenAI } from 'openai';
import type { ChatCompletionCreateParamsNonStreaming } from 'openai/resources/chat/completions';
import { hashValue } from '../core/hash.ts';
import type { AnswerToRequest, RequestAsker } from './ask-chunk.ts';
import type { TeacherRequest } from './call-log.ts';
import { countPromptTokens } from './count-tokens.ts';
import { type AttachedImage, imageTokens } from './image-tokens.ts';
import type { TokenSum } from './prices.ts';
import type { ChatMessage } from './prompt-template.ts';
import { readCompletion, type TeacherAnswer } from './read-completion.ts';
import { teacherErrorFrom } from './read-error.ts';
import {
  askTeacher,
  defaultDetail,
  requestBody,
  type SamplingSettings,
  type TeacherMessage,
  withImage,
} from './teacher.ts';
import { isRefusalOfContent, isTooLong, TeacherError } from './teacher-error.ts';

/** A `RequestAsker` that also makes the bodies of requests in batches. */
export interface TeacherAsker<Request extends TeacherRequest> extends RequestAsker<Request> {
  client: OpenAI;
  /** The request in the protocol's form, without the last `dropped` in-context examples. */
  body(request: Request, dropped?: number): Promise<ChatCompletionCreateParamsNonStreaming>;
  /** Passes an answer on that can be used. @throws TeacherError for one that can't be: the request is sent again */
  requireUsable<Answer extends TeacherAnswer>(answer: Answer): Answer;
  /**
   * What a failure means for a request that was sent without `dropped` examples.
   *
   * @returns its refusal, which counts as its answer; `shorten` to send it without one more example; undefined for a
   *   failure that the request has no part in
   */
  afterFailure(request: Request, dropped: number, error: unknown): AnswerToRequest | 'shorten' | undefined;
}

/** How requests of one kind are made, and their answers read. */
export interface RequestForm<Request extends TeacherRequest> {
  /** Has the teacher store its answers, so that lost ones can be found. */
  storeAnswers: boolean;
  /** Makes the prompt of a request, without the last `dropped` in-context examples. */
  messages(request: Request, dropped: number): ChatMessage[];
  /** How many in-context examples a request has. */
  examples(request: Request): number;
  /** The sampling settings of a request. */
  settings(request: Request): SamplingSettings;
  /** The image to attach to a request, for a model with vision. */
  image?(request: Request): AttachedImage | undefined;
  /** Whether an answer is one of the kind that is asked for; default: any is. */
  isReadable?(text: string): boolean;
}

/** The most tokens that a request can use. @param prompt default: made anew */
export function mostTokens<Request extends TeacherRequest>(
  { messages, settings, image }: RequestForm<Request>,
  request: Request,
  prompt = messages(request, 0),
): TokenSum {
  const { model, maximumTokens, images = { detail: defaultDetail } } = settings(request);
  const attached = image?.(request);
  const inImage = attached === undefined ? 0 : imageTokens(model, attached.size, images.detail);
  return { promptTokens: countPromptTokens(prompt) + inImage, completionTokens: maximumTokens };
}

/**
 * Sends requests of one kind to a teacher. A prompt that is too long for the model is sent again with fewer in-context
 * examples; a refused request counts as answered, with its refusal.
 */
export function createTeacherAsker<Request extends TeacherRequest>(
  input: RequestForm<Request> & { client: OpenAI },
): TeacherAsker<Request> {
  const { client, storeAnswers, messages, examples, settings, image, isReadable = () => true } = input;
  const built = new WeakMap<Request, ChatMessage[]>();
  const messagesOf = (request: Request): ChatMessage[] => {
    const known = built.get(request) ?? messages(request, 0);
    built.set(request, known);
    return known;
  };
  const toSend = async (request: Request, dropped = 0): Promise<TeacherMessage[]> => {
    const text = dropped === 0 ? messagesOf(request) : messages(request, dropped);
    const attached = image?.(request);
    return attached === undefined ? text : withImage(text, await attached.url(), settings(request).images?.detail);
  };
  const refused = (request: Request, refusal: string): AnswerToRequest => ({
    text: '',
    usage: { promptTokens: 0, completionTokens: 0, totalTokens: 0 },
    model: settings(request).model,
    requestHash: hashValue({ refusal }),
    refusal,
  });
  const body: TeacherAsker<Request>['body'] = async (request, dropped) =>
    requestBody(await toSend(request, dropped), settings(request), request.seed);
  const afterFailure: TeacherAsker<Request>['afterFailure'] = (request, dropped, error) => {
    if (isRefusalOfContent(error)) return refused(request, error.message);
    if (!isTooLong(error)) return undefined;
    return dropped >= examples(request) ? refused(request, (error as Error).message) : 'shorten';
  };

  const requireUsable: TeacherAsker<Request>['requireUsable'] = (answer) => {
    if (answer.refusal !== undefined || isReadable(answer.text)) return answer;
    const problem = `The teacher's reply is not in the form that was asked for: "${answer.text.slice(0, 200)}"`;
    throw new TeacherError(problem, { retryable: true, unusable: true, charged: answer.usage });
  };

  const ask: RequestAsker<Request>['ask'] = async (request, call, signal) => {
    for (let dropped = 0; ; dropped += 1) {
      try {
        const options = { signal, seed: request.seed, call, store: storeAnswers };
        const answer = await askTeacher(client, await toSend(request, dropped), settings(request), options);
        return requireUsable({ ...answer, examplesDropped: dropped });
      } catch (error) {
        const next = afterFailure(request, dropped, error);
        if (next === undefined) throw error;
        if (next !== 'shorten') return next;
      }
    }
  };

  return {
    client,
    most: (request) => mostTokens(input, request, messagesOf(request)),
    ask,
    body,
    requireUsable,
    afterFailure,
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
