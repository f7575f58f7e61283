/**
 * Questions about photographs, from the captions and boxes of real ones.
 */
import { describe, expect, test } from 'vitest';
import { answerPrompt } from '../../../../demo/local-teacher/answer-prompt.ts';
import { readPhoto } from '../../../../demo/local-teacher/photos/photo.ts';
import { askAboutPhoto } from '../../../../demo/local-teacher/photos/questions.ts';
import { THINGS } from '../../../../demo/local-teacher/photos/things.ts';
import { seededRandom } from '../../../../src/core/seeded-random.ts';
import type { AnnotatedImage } from '../../../../src/datasets/coco.ts';
import { checkSample, filterRawAnswer, isRejection } from '../../../../src/generation/filters.ts';
import { parseAnswer } from '../../../../src/generation/parse-answer.ts';
import { buildMessages, describeBoxes, describeCaptions } from '../../../../src/generation/prompt.ts';
import { readQuestionTypes } from '../../../../src/generation/question-types.ts';
import { fillTemplate, readPromptTemplate } from '../../../../src/teacher/prompt-template.ts';
import { allAnnotations } from '../../../datasets/all-annotations.ts';
import { request } from '../../../generation/requests.ts';
import { noSharedFiles, sharedFile } from '../../../helpers/shared-files.ts';

const template = await readPromptTemplate('configs/prompts/generate-v1.md');
const questionTypes = await readQuestionTypes('configs/question-types.yaml');
const teacher = { mistakeRate: 0, seed: 1 };

function answer(image: AnnotatedImage, question_type: string): string {
  const messages = buildMessages({ request: request(image.id, { question_type }), image, questionTypes, template });
  return answerPrompt(messages.map(({ content }) => content).join('\n\n'), teacher).text;
}

const check = (text: string) => {
  const parsed = filterRawAnswer(text) ?? parseAnswer(text);
  return isRejection(parsed) ? parsed : (checkSample(parsed) ?? parsed);
};

const realImages = () => {
  const file = (kind: string) => sharedFile(`real-slice/COCO2017/annotations/${kind}_train2017.json`);
  const [instances, captions] = [file('instances'), file('captions')];
  return instances && captions ? allAnnotations({ instances, captions }) : undefined;
};

describe('real photographs', () => {
  test('of 40 requests, over all 18 types, at least 30 get a question that passes all filters', async (context) => {
    const images = (await realImages()) ?? context.skip(noSharedFiles);
    const few = images.filter(({ boxes }) => boxes.length <= 10).slice(0, 40);
    const answers = few.map((image, index) =>
      check(answer(image, questionTypes[index % questionTypes.length]?.name as string)),
    );
    const reasons = answers.flatMap((result) => (isRejection(result) ? result.reason : []));
    expect(answers).toHaveLength(40);
    expect(reasons.filter((reason) => reason !== 'skip')).toEqual([]);
    expect(reasons.length).toBeLessThanOrEqual(10);
  });

  test('whatever is asked for passes all filters, or is skipped', async (context) => {
    const images = (await realImages()) ?? context.skip(noSharedFiles);
    const results = images.flatMap((image) => questionTypes.map(({ name }) => check(answer(image, name))));
    const rejected = results.filter(isRejection);
    expect(rejected.filter(({ reason }) => reason !== 'skip')).toEqual([]);
    expect(rejected.length / results.length).toBeLessThan(0.25);
  });

  test('its own questions are answered as it meant them', async (context) => {
    const images = (await realImages()) ?? context.skip(noSharedFiles);
    const verify = await readPromptTemplate('configs/prompts/verify-v1.md', [
      'captions',
      'boxes',
      'question',
      'choices',
    ]);
    let [right, all] = [0, 0];
    for (const [index, image] of images.entries()) {
      const parsed = check(answer(image, questionTypes[index % questionTypes.length]?.name as string));
      if (isRejection(parsed)) continue;
      const messages = fillTemplate(verify, {
        captions: describeCaptions(image.captions),
        boxes: describeBoxes(image),
        question: parsed.question,
        choices: parsed.choices.map((choice, place) => `(${'ABCD'[place]}) ${choice}`).join('\n'),
      });
      const { text } = answerPrompt(messages.map(({ content }) => content).join('\n\n'), teacher);
      all += 1;
      if (text.endsWith(`(${'ABCD'[parsed.correctChoiceIndex]})`)) right += 1;
    }
    expect(right / all).toBeGreaterThan(0.9);
  });
});

describe('what captions and boxes say', () => {
  const photo = readPhoto({
    captions: ['A dog is sitting on the top of a green truck.', 'A woman holding a red umbrella near a wooden bench.'],
    boxes: [
      { category: 'dog', edges: [0.1, 0.1, 0.3, 0.3] },
      { category: 'truck', edges: [0.05, 0.3, 0.9, 0.9] },
    ],
  });
  const ask = (type: string) =>
    Array.from({ length: 30 }, (_, seed) => {
      const asked = askAboutPhoto(type, photo, seededRandom(seed));
      return asked && `${asked.question} ${asked.choices[asked.correctChoiceIndex]}`;
    });

  test.each([
    ['attribute_recognition', 'What color is the truck? green'],
    ['attribute_recognition', 'What color is the umbrella? red'],
    ['attribute_recognition', 'What does the bench look like, by its material? wooden'],
    ['attribute_comparison', 'Which looks larger here, the dog or the truck? truck'],
    ['object_localization', 'In which part of the picture is the dog? top left'],
    ['physical_relation', 'What is being held here? umbrella'],
    ['function_reasoning', 'Which thing here hauls heavy loads on the road? truck'],
    ['knowledge-based_reasoning', 'Which thing here barks? dog'],
    ['physical_property_reasoning', 'How heavy is a thing like the truck in real life? more than 200 kilograms'],
    ['action_recognition', 'What is going on in the picture? sitting'],
    ['nature_relation', 'How does an animal like the dog find its food? it lives with people, who feed it'],
    ['image_style', 'What type of picture is this? a photo'],
  ])('%s: %s', (type, question) => {
    expect(ask(type)).toContain(question);
  });

  test('no wrong choice is among what a caption or a box names', () => {
    const asked = Array.from({ length: 60 }, (_, seed) =>
      askAboutPhoto('identity_reasoning', photo, seededRandom(seed)),
    );
    for (const question of asked) {
      const wrong = question?.choices.filter((_, index) => index !== question.correctChoiceIndex) ?? [];
      for (const name of ['dog', 'truck', 'umbrella', 'bench', 'person']) expect(wrong).not.toContain(name);
    }
  });

  test('a type that it does not know is not asked', () => {
    expect(askAboutPhoto('toString', photo, seededRandom(1))).toBeUndefined();
  });
});

test('all 80 categories of COCO are known, each with a fact of its own', () => {
  expect(THINGS.size).toBe(80);
  expect(new Set([...THINGS.values()].map(({ fact }) => fact)).size).toBe(80);
  for (const thing of THINGS.values()) expect(thing.weight).toBeGreaterThan(0);
});
