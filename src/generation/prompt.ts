import type { AnnotatedPicture } from '../datasets/coco.ts';
import type { GenerationRequest } from '../teacher/generation-request.ts';
import { type ChatMessage, fillTemplate, type PromptTemplate } from '../teacher/prompt-template.ts';
import { findQuestionType, type QuestionType } from './question-types.ts';

/**
 * Writes the messages of one request: the picture's captions and boxes, the question type with its
 * explanation, the bad cases as examples, and the rules and answer format of the prompt.
 *
 * @throws Error when the list lacks the type.
 */
export function buildMessages(input: {
  request: GenerationRequest;
  picture: AnnotatedPicture;
  types: readonly QuestionType[];
  template: PromptTemplate;
}): ChatMessage[] {
  const { request, picture, types, template } = input;
  const type = findQuestionType(types, request.question_type);
  return fillTemplate(template, {
    captions: describeCaptions(picture.captions),
    boxes: describeBoxes(picture),
    type_title: type.title,
    type_explanation: type.explanation,
    examples: describeExamples(request.examples),
  });
}

/** The picture that a request is about. @throws Error when it is not among them */
export function pictureOf(
  pictures: ReadonlyMap<number, AnnotatedPicture>,
  { image_id }: { image_id: number },
): AnnotatedPicture {
  const picture = pictures.get(image_id);
  if (picture === undefined) throw new Error(`The annotations of picture ${image_id} were not read`);
  return picture;
}

/** A caption a line. Line breaks inside a caption would let it pass for a part of the prompt, so they go. */
export function describeCaptions(captions: readonly string[]): string {
  return captions.map((caption) => `- ${oneLine(caption)}`).join('\n');
}

/** `category: [x1, y1, x2, y2]` a line: edges as shares of width and height, to three decimals. */
export function describeBoxes(picture: AnnotatedPicture): string {
  return picture.boxes
    .map(({ category, box: [x, y, width, height] }) => {
      const edges = [x / picture.width, y / picture.height, (x + width) / picture.width, (y + height) / picture.height];
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
