import type { OpenAI } from 'openai';
import type { ChatCompletionCreateParamsNonStreaming } from 'openai/resources/chat/completions';
import type { AnnotatedPicture } from '../datasets/coco.ts';
import { hashValue } from '../store/hash.ts';
import type { AnswerToRequest, RequestAsker } from './ask-chunk.ts';
import { countTokens } from './count-tokens.ts';
import type { GenerationRequest } from './generation-request.ts';
import { buildMessages } from './prompt.ts';
import type { ChatMessage, PromptTemplate } from './prompt-template.ts';
import type { QuestionType } from './question-types.ts';
import { askTeacher, readCompletion, requestBody, type TeacherMessage, type TeacherSettings } from './teacher.ts';
import { isRefusalOfContent, isTooLong, teacherErrorFrom } from './teacher-error.ts';

/** A `RequestAsker` that also writes the bodies of batches. */
export interface TeacherAsker extends RequestAsker {
  /** The request as the protocol has it. */
  body(request: GenerationRequest): Promise<ChatCompletionCreateParamsNonStreaming>;
}

// As OpenAI counts them: what frames a message, and a picture at low detail.
const tokensOfMessage = 4;
const tokensOfPicture = 85;

/**
 * Asks a teacher for samples about pictures. A prompt that is too long for the model is sent again with fewer
 * in-context examples; a request that the teacher will not answer counts as answered, with its refusal.
 *
 * @param input.picture reads a picture as a data URL, to attach it for a model that sees
 * @param input.storeAnswers has the teacher keep its answers, so that lost ones can be found
 */
export function createTeacherAsker(input: {
  client: OpenAI;
  settings: TeacherSettings;
  storeAnswers: boolean;
  /** The annotations of a picture. */
  annotations: (imageId: number) => Promise<AnnotatedPicture>;
  types: readonly QuestionType[];
  template: PromptTemplate;
  picture?: ((imageId: number) => Promise<string>) | undefined;
}): TeacherAsker {
  const { client, settings, storeAnswers, annotations, types, template, picture } = input;
  const built = new WeakMap<GenerationRequest, ChatMessage[]>();
  const messagesOf = async (request: GenerationRequest): Promise<ChatMessage[]> => {
    const known = built.get(request);
    if (known) return known;
    const messages = buildMessages({ request, picture: await annotations(request.image_id), types, template });
    built.set(request, messages);
    return messages;
  };
  const toSend = async (request: GenerationRequest, dropped = 0): Promise<TeacherMessage[]> => {
    const examples = request.examples.slice(0, request.examples.length - dropped);
    const messages = await messagesOf(dropped === 0 ? request : { ...request, examples });
    return picture ? withPicture(messages, await picture(request.image_id)) : messages;
  };
  const refused = (refusal: string): AnswerToRequest => ({
    text: '',
    usage: { promptTokens: 0, completionTokens: 0, totalTokens: 0 },
    model: settings.model,
    requestHash: hashValue({ refusal }),
    refusal,
  });

  const ask: RequestAsker['ask'] = async (request, call, signal) => {
    for (let dropped = 0; ; dropped += 1) {
      try {
        const options = { signal, seed: request.seed, call, store: storeAnswers };
        const answer = await askTeacher(client, await toSend(request, dropped), settings, options);
        return { ...answer, examplesDropped: dropped };
      } catch (error) {
        if (isRefusalOfContent(error)) return refused(error.message);
        if (!isTooLong(error)) throw error;
        if (dropped >= request.examples.length) return refused((error as Error).message);
      }
    }
  };

  return {
    async most(request) {
      const messages = await messagesOf(request);
      const texts = messages.reduce((sum, { content }) => sum + countTokens(content) + tokensOfMessage, 0);
      return { promptTokens: texts + (picture ? tokensOfPicture : 0), completionTokens: settings.maximumTokens };
    },
    ask,
    body: async (request) => requestBody(await toSend(request), settings, request.seed),
    ...(storeAnswers &&
      ({
        find: async ({ call }, request, signal) => {
          try {
            const page = await client.chat.completions.list({ metadata: { call } }, { signal });
            const [found] = page.data;
            return (
              found && readCompletion(found, hashValue(requestBody(await toSend(request), settings, request.seed)))
            );
          } catch (error) {
            signal.throwIfAborted();
            throw teacherErrorFrom(error);
          }
        },
      } satisfies Pick<RequestAsker, 'find'>)),
  };
}

function withPicture(messages: readonly ChatMessage[], url: string): TeacherMessage[] {
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
