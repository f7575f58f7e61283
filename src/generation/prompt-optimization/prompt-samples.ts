import { z } from 'zod';
import { openJsonLines } from '../../core/append-json-lines.ts';
import { type ImageId, imageIdSchema } from '../../core/images/image-id.ts';
import { readJsonLines } from '../../core/read-json.ts';
import type { AnnotatedImage } from '../../datasets/coco.ts';
import { askAll } from '../../teacher/ask-with-retries.ts';
import type { ChatMessage, PromptTemplate } from '../../teacher/prompt-template.ts';
import type { TeacherAnswer } from '../../teacher/read-completion.ts';
import { checkSample, filterRawAnswer, isRejection } from '../filters.ts';
import { findUnfinished, parseAnswer } from '../parse-answer.ts';
import { buildMessages, imageOf } from '../prompt.ts';
import type { QuestionType } from '../question-types.ts';
import type { GenerationRequest } from '../sample-requests.ts';

export const promptSampleSchema = z.object({
  id: z.string(),
  image_id: imageIdSchema,
  question_type: z.string(),
  /** Whether the image is one of the first iteration's. */
  images: z.enum(['same', 'fresh']),
  /** The whole prompt. */
  prompt: z.string(),
  answer: z.string(),
  /** Why the filters would reject the answer. */
  problem: z.string().optional(),
});

/** One sample generation, for a person to judge. */
export type PromptSample = z.output<typeof promptSampleSchema>;

/**
 * Has the teacher answer each request with a prompt, and appends each answer to the file as soon as it is received; what
 * is in the file is not requested again.
 *
 * @param input.requests first those about the images of the first iteration
 * @param input.same how many of the requests are about images of the first iteration
 * @returns the samples in the order of the requests
 * @throws the first error of `ask`, after the open requests have ended
 */
export async function makePromptSamples(input: {
  requests: readonly GenerationRequest[];
  same: number;
  file: string;
  /** Of the requests, by id. */
  images: ReadonlyMap<ImageId, AnnotatedImage>;
  questionTypes: readonly QuestionType[];
  template: PromptTemplate;
  /** Data URL of an image that the teacher is shown. */
  imageUrl?: ((image: AnnotatedImage) => Promise<string>) | undefined;
  ask: (messages: ChatMessage[], options: { seed: number; image?: string | undefined }) => Promise<TeacherAnswer>;
  concurrency: number;
}): Promise<PromptSample[]> {
  const { requests, same, file, images, questionTypes, template, imageUrl, ask } = input;
  const lines = await openJsonLines(file);
  try {
    const samples = new Map((await readJsonLines(file, promptSampleSchema)).map((sample) => [sample.id, sample]));
    const make = async (request: GenerationRequest, index: number) => {
      const id = sampleId(request);
      if (samples.has(id)) return;
      const image = imageOf(images, request);
      const messages = buildMessages({ request, image, questionTypes, template });
      const options = { seed: request.seed, image: await imageUrl?.(image) };
      const { text: answer, finishReason, refusal } = await ask(messages, options);
      const unfinished = findUnfinished({ finish_reason: finishReason, refusal });
      const read = unfinished ?? filterRawAnswer(answer) ?? parseAnswer(answer);
      const parsed = isRejection(read) ? read : (checkSample(read) ?? read);
      const sample: PromptSample = {
        id,
        image_id: request.image_id,
        question_type: request.question_type,
        images: index < same ? 'same' : 'fresh',
        prompt: messages.map(({ content }) => content).join('\n\n'),
        answer,
        ...(isRejection(parsed) ? { problem: `${parsed.reason}: ${parsed.detail}` } : {}),
      };
      await lines.append(sample);
      samples.set(id, sample);
    };
    await askAll(requests, input.concurrency, make);
    return requests.flatMap((request) => samples.get(sampleId(request)) ?? []);
  } finally {
    await lines.close();
  }
}

/** Short enough to type. */
function sampleId({ id }: GenerationRequest): string {
  return id.slice(0, 8);
}
