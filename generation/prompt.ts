import type { CocoIndex } from '../datasets/coco.ts';
import type { GenerationRequest } from './generation-request.ts';
import { type ChatMessage, fillTemplate, type PromptTemplate } from './prompt-template.ts';
import { findQuestionType, type QuestionType } from './question-types.ts';

/**
 * Writes the messages of one request: the picture's captions and boxes, the question type with its
 * explanation, the bad cases as examples, and the rules and answer format of the prompt.
 *
 * @throws Error when the index lacks the picture, or the list lacks the type.
 */
export function buildMessages(input: {
  request: GenerationRequest;
  coco: CocoIndex;
  types: readonly QuestionType[];
  template: PromptTemplate;
}): ChatMessage[] {
  const { request, coco, types, template } = input;
  const type = findQuestionType(types, request.question_type);
  return fillTemplate(template, {
    captions: describeCaptions(coco.captions(request.image_id)),
    boxes: describeBoxes(coco, request.image_id),
    type_title: type.title,
    type_explanation: type.explanation,
    examples: describeExamples(request.examples),
  });
}

/** A caption a line. Line breaks inside a caption would let it pass for a part of the prompt, so they go. */
function describeCaptions(captions: readonly string[]): string {
  return captions.map((caption) => `- ${oneLine(caption)}`).join('\n');
}

/** `category: [x1, y1, x2, y2]` a line: edges as shares of width and height, to three decimals. */
function describeBoxes(coco: CocoIndex, imageId: number): string {
  const picture = pictureOf(coco, imageId);
  return coco
    .boxes(imageId)
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

const picturesById = new WeakMap<CocoIndex, Map<number, CocoIndex['pictures'][number]>>();

function pictureOf(coco: CocoIndex, imageId: number): CocoIndex['pictures'][number] {
  let pictures = picturesById.get(coco);
  if (!pictures) {
    pictures = new Map(coco.pictures.map((picture) => [picture.id, picture]));
    picturesById.set(coco, pictures);
  }
  const picture = pictures.get(imageId);
  if (!picture) throw new Error(`Picture ${imageId} is not among the annotations`);
  return picture;
}

function roundShare(share: number): number {
  return Math.round(Math.min(1, Math.max(0, share)) * 1000) / 1000;
}

function oneLine(text: string): string {
  return text.replace(/\s+/g, ' ').trim();
}
