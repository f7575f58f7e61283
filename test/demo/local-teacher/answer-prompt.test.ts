import { describe, expect, test } from 'vitest';
import { mistakeKinds } from '../../../demo/local-teacher/answer-format.ts';
import { answerPrompt } from '../../../demo/local-teacher/answer-prompt.ts';
import { captionsFor } from '../../../demo/scenes/captions.ts';
import { QUESTION_TYPES } from '../../../demo/scenes/questions.ts';
import { randomScene } from '../../../demo/scenes/scene.ts';
import { seededRandom } from '../../../src/core/seeded-random.ts';
import type { AnnotatedImage } from '../../../src/datasets/coco.ts';
import { checkSample, filterRawAnswer, isRejection } from '../../../src/generation/filters.ts';
import { parseAnswer } from '../../../src/generation/parse-answer.ts';
import { buildMessages } from '../../../src/generation/prompt.ts';
import { readQuestionTypes } from '../../../src/generation/question-types.ts';
import { readPromptTemplate } from '../../../src/teacher/prompt-template.ts';
import { allAnnotations } from '../../datasets/all-annotations.ts';
import { annotatedImage } from '../../generation/images.ts';
import { request } from '../../generation/requests.ts';
import { noSharedFiles, sharedFile } from '../../helpers/shared-files.ts';

const template = await readPromptTemplate('configs/prompts/generate-v1.md');
const questionTypes = await readQuestionTypes('configs/question-types.yaml');
const scenes = Array.from({ length: 40 }, (_, number) => randomScene(seededRandom(number)));
const demo = scenes.map((scene, id) =>
  annotatedImage({
    id,
    captions: captionsFor(scene, seededRandom(id).fork('captions')),
    boxes: scene.objects.map(({ category, box: [x, y, w, h] }) => ({
      category,
      // The index for tests has images of 100 by 200.
      box: [(x / scene.width) * 100, (y / scene.height) * 200, (w / scene.width) * 100, (h / scene.height) * 200],
    })),
  }),
);

const imageOf = (id: number) => demo[id] as AnnotatedImage;

function promptFor(image: AnnotatedImage, question_type: string, examples: string[] = []): string {
  const asExamples = examples.map((question) => ({ idx: question, prompt: `Question: ${question}` }));
  const messages = buildMessages({
    request: request(image.id, { question_type, examples: asExamples }),
    image,
    questionTypes,
    template,
  });
  return messages.map(({ content }) => content).join('\n\n');
}

function refined(text: string) {
  const parsed = filterRawAnswer(text) ?? parseAnswer(text);
  return isRejection(parsed) ? parsed : (checkSample(parsed) ?? parsed);
}

describe('about the demo domain', () => {
  test.each(QUESTION_TYPES)('it writes %s questions that pass all filters, or says skip', (type) => {
    const answers = demo.map((image) => answerPrompt(promptFor(image, type), { mistakeRate: 0, seed: 1 }));
    const questions = answers.filter(({ kind }) => kind === 'question').map(({ text }) => refined(text));
    expect(questions.length).toBeGreaterThan(5);
    expect(questions.filter(isRejection)).toEqual([]);
    for (const { kind, text } of answers)
      if (kind !== 'question') expect(refined(text)).toMatchObject({ reason: 'skip' });
  });

  test('its answers are true of the scene', () => {
    for (const [id, scene] of scenes.entries()) {
      const parsed = refined(
        answerPrompt(promptFor(imageOf(id), 'attribute_recognition'), { mistakeRate: 0, seed: 1 }).text,
      );
      if (isRejection(parsed)) continue;
      const object = scene.objects.find(({ category }) => parsed.question.includes(category));
      expect(parsed.choices[parsed.correctChoiceIndex]).toBe(object?.color);
    }
  });

  test('it says skip to a type that it knows nothing of', () => {
    expect(answerPrompt(promptFor(imageOf(0), 'social_relation'), { mistakeRate: 0, seed: 1 }).kind).toBe('skip');
  });

  test('its examples steer it', () => {
    const likeExamples = (examples: string[]) =>
      scenes.filter((_, id) => {
        const { text } = answerPrompt(promptFor(imageOf(id), 'attribute_comparison', examples), {
          mistakeRate: 0,
          seed: 1,
        });
        return text.includes('Which is larger');
      }).length;
    expect(likeExamples(['Which is larger, the cat or the dog?'])).toBeGreaterThan(
      likeExamples(['Which thing has the same color as the cat?']),
    );
  });
});

test('the same prompt gives the same answer; another seed may give another', () => {
  const prompts = demo.map((image) => promptFor(image, 'object_localization'));
  const answers = (seed: number) => prompts.map((prompt) => answerPrompt(prompt, { mistakeRate: 0.3, seed }));
  expect(answers(1)).toEqual(answers(1));
  expect(answers(1)).not.toEqual(answers(2));
});

test('a prompt of another kind gets a polite answer', () => {
  const answer = answerPrompt('Tell me a joke', { mistakeRate: 1, seed: 1 });
  expect(answer).toMatchObject({ kind: 'other', text: expect.stringMatching(/local teacher/) });
});

describe('mistakes', () => {
  const answers = (mistakeRate: number) =>
    scenes.flatMap((_, id) =>
      [1, 2, 3, 4, 5].map((seed) => answerPrompt(promptFor(imageOf(id), 'object_localization'), { mistakeRate, seed })),
    );

  test('come at the rate that was set', () => {
    const wrong = answers(0.3).filter(({ kind }) => kind !== 'question').length;
    expect(wrong / answers(0).length).toBeGreaterThan(0.2);
    expect(wrong / answers(0).length).toBeLessThan(0.4);
  });

  test('come in all kinds, and all but a wrong letter are found by the filters', () => {
    const all = answers(1);
    expect(new Set(all.map(({ kind }) => kind))).toEqual(new Set(mistakeKinds));
    for (const { kind, text } of all)
      expect([text, isRejection(refined(text))]).toEqual([text, kind !== 'wrong_letter']);
  });
});

test('about real COCO images it asks where it can', async (context) => {
  const images = await allAnnotations({
    instances: sharedFile('real-slice/COCO2017/annotations/instances_train2017.json') ?? context.skip(noSharedFiles),
    captions: sharedFile('real-slice/COCO2017/annotations/captions_train2017.json') ?? context.skip(noSharedFiles),
  });
  const kinds = (type: string) =>
    images.map((image) => answerPrompt(promptFor(image, type), { mistakeRate: 0, seed: 1 }));
  const localization = kinds('object_localization').filter(({ kind }) => kind === 'question');
  expect(localization.length).toBeGreaterThan(images.length / 2);
  for (const { text } of localization) expect(isRejection(refined(text))).toBe(false);
  expect(kinds('spatial_relationship').filter(({ kind }) => kind === 'question').length).toBeGreaterThan(5);
});
