import { describe, expect, it } from 'vitest';
import { askQuestion, QUESTION_TYPES } from '../../../demo/scenes/questions.ts';
import { type PartialScene, randomScene } from '../../../demo/scenes/scene.ts';
import { seededRandom } from '../../../src/core/seeded-random.ts';
import { rightChoices } from './answer-by-looking.ts';

const scenes = 600;

/** Questions of a type about random scenes. */
function ask(type: string) {
  return Array.from({ length: scenes }, (_, index) => {
    const random = seededRandom('question test').fork(type).fork(index);
    const scene = randomScene(random);
    const question = askQuestion(type, scene, random);
    return question ? [{ scene, question }] : [];
  }).flat();
}

it('knows eleven types, by the names of the reference system', () => {
  expect(QUESTION_TYPES).toHaveLength(11);
  expect(QUESTION_TYPES).toContain('knowledge-based_reasoning');
});

describe.each(QUESTION_TYPES)('%s', (type) => {
  const asked = ask(type);

  it('can be asked about many scenes, in more than one wording', () => {
    expect(asked.length).toBeGreaterThan(scenes / 4);
    const frames = asked.map(({ question }) => question.question.split(' ').slice(0, 2).join(' '));
    expect(new Set(frames).size).toBeGreaterThan(1);
  });

  it('has one right choice, and it is the one marked', () => {
    for (const { scene, question } of asked) {
      const { choices, correctChoiceIndex } = question;
      expect(new Set(choices).size).toBe(4);
      expect({ ...question, right: rightChoices(scene, question.question, choices) }).toEqual({
        ...question,
        right: [choices[correctChoiceIndex]],
      });
    }
  });

  it('uses few words', () => {
    for (const { question } of asked) {
      expect(question.question.split(' ').length).toBeLessThanOrEqual(10);
      for (const choice of question.choices) expect(choice.split(' ').length).toBeLessThanOrEqual(3);
    }
  });

  it('marks each of the four letters about equally often', () => {
    for (const letter of [0, 1, 2, 3]) {
      const share = asked.filter(({ question }) => question.correctChoiceIndex === letter).length / asked.length;
      expect(Math.abs(share - 0.25)).toBeLessThan(0.1);
    }
  });

  it('has ten direct answers, at least eight of them the right choice, and three rationales', () => {
    for (const { question } of asked) {
      const right = question.choices[question.correctChoiceIndex];
      expect(question.directAnswers).toHaveLength(10);
      expect(question.directAnswers.filter((answer) => answer === right).length).toBeGreaterThanOrEqual(8);
      expect(question.rationales).toHaveLength(3);
    }
  });
});

describe('askQuestion', () => {
  const scene: PartialScene = {
    width: 100,
    height: 100,
    objects: [
      { category: 'dog', place: 'left', box: [0, 40, 20, 20] },
      { category: 'dog', place: 'right', box: [80, 40, 20, 20] },
    ],
  };
  const attempt = (type: string, about: PartialScene) => askQuestion(type, about, seededRandom(1));

  // Names alone tell what most things are, what guards a house and what purrs.
  const fromNames = ['image_topic', 'function_reasoning', 'knowledge-based_reasoning'];
  it.each(QUESTION_TYPES.filter((type) => !fromNames.includes(type)))(
    'asks no %s question where only two like names are known',
    (type) => {
      expect(attempt(type, scene)).toBeUndefined();
    },
  );

  it('returns no question about an empty scene or of an unknown type', () => {
    for (const type of QUESTION_TYPES) expect(attempt(type, { width: 10, height: 10, objects: [] })).toBeUndefined();
    expect(attempt('image_emotion', randomScene(seededRandom(1)))).toBeUndefined();
  });

  it('asks for no fact that an object of unknown category might share', () => {
    const withUnknown: PartialScene = {
      ...scene,
      objects: [
        { category: 'apple', place: 'left', box: [0, 40, 20, 20] },
        { category: 'sandwich', place: 'right', box: [80, 40, 20, 20] },
      ],
    };
    expect(attempt('function_reasoning', withUnknown)).toBeUndefined();
    expect(attempt('object_localization', withUnknown)).toBeDefined();
  });
});
