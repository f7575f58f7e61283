import type { ImageId } from '../core/images/image-id.ts';
import type { AnnotatedImage } from '../datasets/coco.ts';
import { type ChatMessage, fillTemplate, type PromptTemplate } from '../teacher/prompt-template.ts';
import { withoutHidden } from './chat-marks.ts';
import { findQuestionType, type QuestionType } from './question-types.ts';
import type { GenerationRequest } from './sample-requests.ts';

/**
 * Writes the messages of one request: the image's captions and boxes, the question type with its
 * explanation, the bad cases as examples, and the rules and answer format of the prompt.
 *
 * @throws Error when the list lacks the question type
 */
export function buildMessages(input: {
  request: GenerationRequest;
  image: AnnotatedImage;
  questionTypes: readonly QuestionType[];
  template: PromptTemplate;
}): ChatMessage[] {
  const { request, image, questionTypes, template } = input;
  const questionType = findQuestionType(questionTypes, request.question_type);
  return fillTemplate(template, {
    captions: describeCaptions(image.captions),
    boxes: describeBoxes(image),
    type_title: questionType.title,
    type_explanation: questionType.explanation,
    examples: describeExamples(request),
  });
}

/** The image of a request. @throws Error when it is not among the images */
export function imageOf(
  images: ReadonlyMap<ImageId, AnnotatedImage>,
  { image_id }: { image_id: ImageId },
): AnnotatedImage {
  const image = images.get(image_id);
  if (image === undefined) throw new Error(`The annotations of image ${image_id} were not read`);
  return image;
}

/** One caption per line. Line breaks in a caption could imitate a part of the prompt, so they are removed, and what nobody sees. */
export function describeCaptions(captions: readonly string[]): string {
  return captions.map((caption) => `- ${oneLine(caption)}`).join('\n');
}

/** One line `category: [x1, y1, x2, y2]` per box: edges as shares of width and height, to three decimals. */
export function describeBoxes(image: AnnotatedImage): string {
  return image.boxes
    .map(({ category, box: [x, y, width, height] }) => {
      const edges = [x / image.width, y / image.height, (x + width) / image.width, (y + height) / image.height];
      return `${oneLine(category)}: [${edges.map(roundShare).join(', ')}]`;
    })
    .join('\n');
}

function describeExamples({ examples, short_answer }: Pick<GenerationRequest, 'examples' | 'short_answer'>): string {
  if (examples.length === 0) return '(none this time)';
  const starts = short_answer ? shortAnswerStarts : choicesStarts;
  return examples.map(({ prompt }, index) => `Example ${index + 1}:\n${exampleLines(prompt, starts)}`).join('\n\n');
}

// Before the lines of a bad case, as `badCasePrompt` writes them.
const choicesStarts = /\s*\n(?=(?:Question|Choices|Answer|Question type): )/;
const shortAnswerStarts = /\s*\n(?=(?:Question|Answer|Wrong answer|Question type): )/;

/** The lines of a bad case: any that starts otherwise continues the line before it. */
function exampleLines(prompt: string, starts: RegExp): string {
  const lines = prompt.split(starts);
  return lines.map(oneLine).join('\n');
}

function roundShare(share: number): number {
  return Math.round(Math.min(1, Math.max(0, share)) * 1000) / 1000;
}

/** The text on one line, without characters that nobody sees. */
export function oneLine(text: string): string {
  return withoutHidden(text).replace(/\s+/g, ' ').trim();
}
