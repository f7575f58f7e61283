import type { AnnotatedImage } from '../datasets/coco.ts';
import { type ChatMessage, fillTemplate, type PromptTemplate } from '../teacher/prompt-template.ts';
import { findQuestionType, type QuestionType } from './question-types.ts';
import type { GenerationRequest } from './sample-requests.ts';

/**
 * Writes the messages of one request: the image's captions and boxes, the question type with its
 * explanation, the bad cases as examples, and the rules and answer format of the prompt.
 *
 * @throws Error when the list lacks the type.
 */
export function buildMessages(input: {
  request: GenerationRequest;
  image: AnnotatedImage;
  types: readonly QuestionType[];
  template: PromptTemplate;
}): ChatMessage[] {
  const { request, image, types, template } = input;
  const type = findQuestionType(types, request.question_type);
  return fillTemplate(template, {
    captions: describeCaptions(image.captions),
    boxes: describeBoxes(image),
    type_title: type.title,
    type_explanation: type.explanation,
    examples: describeExamples(request.examples),
  });
}

/** The image that a request is about. @throws Error when it is not among them */
export function imageOf(
  images: ReadonlyMap<number, AnnotatedImage>,
  { image_id }: { image_id: number },
): AnnotatedImage {
  const image = images.get(image_id);
  if (image === undefined) throw new Error(`The annotations of image ${image_id} were not read`);
  return image;
}

/** A caption a line. Line breaks inside a caption would let it pass for a part of the prompt, so they go. */
export function describeCaptions(captions: readonly string[]): string {
  return captions.map((caption) => `- ${oneLine(caption)}`).join('\n');
}

/** `category: [x1, y1, x2, y2]` a line: edges as shares of width and height, to three decimals. */
export function describeBoxes(image: AnnotatedImage): string {
  return image.boxes
    .map(({ category, box: [x, y, width, height] }) => {
      const edges = [x / image.width, y / image.height, (x + width) / image.width, (y + height) / image.height];
      return `${category}: [${edges.map(roundShare).join(', ')}]`;
    })
    .join('\n');
}

function describeExamples(examples: GenerationRequest['examples']): string {
  if (examples.length === 0) return '(none this time)';
  return examples.map(({ prompt }, index) => `Example ${index + 1}:\n${prompt}`).join('\n\n');
}

function roundShare(share: number): number {
  return Math.round(Math.min(1, Math.max(0, share)) * 1000) / 1000;
}

function oneLine(text: string): string {
  return text.replace(/\s+/g, ' ').trim();
}
