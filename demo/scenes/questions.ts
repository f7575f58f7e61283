import type { SeededRandom } from '../../src/core/seeded-random.ts';
import { askColor, askComparison, askIdentity } from './questions/appearance.ts';
import type { Ask, Draft } from './questions/draft.ts';
import { askFunction, askKnowledge, askPhysicalProperty } from './questions/knowledge.ts';
import { askPlace, askRelation } from './questions/places.ts';
import { askQuality, askScene, askTopic } from './questions/whole-image.ts';
import type { PartialScene } from './scene.ts';

/** A question with its choices in order, as A-OKVQA has it. */
export interface SceneQuestion {
  question: string;
  choices: [string, string, string, string];
  correctChoiceIndex: number;
  /** Ten answers as ten people would give them. */
  directAnswers: string[];
  rationales: [string, string, string];
}

const ASKERS = {
  identity_reasoning: askIdentity,
  attribute_recognition: askColor,
  attribute_comparison: askComparison,
  object_localization: askPlace,
  spatial_relationship: askRelation,
  image_scene: askScene,
  image_topic: askTopic,
  image_quality: askQuality,
  function_reasoning: askFunction,
  'knowledge-based_reasoning': askKnowledge,
  physical_property_reasoning: askPhysicalProperty,
} as const satisfies Record<string, Ask>;

/** The question types of the demo domain, by the reference system's names: 11 of its 18. */
export type SceneQuestionType = keyof typeof ASKERS;
export const QUESTION_TYPES = Object.keys(ASKERS) as SceneQuestionType[];

function isSceneQuestionType(type: string): type is SceneQuestionType {
  return Object.hasOwn(ASKERS, type);
}

const DIRECT_ANSWERS = 10;
/** Of ten people at most two say it in another way. */
const MAXIMUM_SYNONYMS = 2;

/**
 * Asks a question of a type about a scene.
 *
 * @returns undefined when the type isn't one of the demo domain's, or the scene has no single answer to it:
 *   two red things, an unknown background.
 */
export function askQuestion(type: string, scene: PartialScene, random: SeededRandom): SceneQuestion | undefined {
  if (!isSceneQuestionType(type)) return undefined;
  const draft = ASKERS[type](scene, random);
  return draft && finishQuestion(draft, random);
}

/** Puts the answer among three wrong ones. @returns undefined when there are fewer */
export function finishQuestion(draft: Draft, random: SeededRandom): SceneQuestion | undefined {
  const wrong = [...new Set(draft.wrong)].filter((choice) => choice !== draft.answer).slice(0, 3);
  if (wrong.length < 3) return undefined;

  const correctChoiceIndex = random.integer(4);
  const choices = random.shuffle(wrong);
  choices.splice(correctChoiceIndex, 0, draft.answer);
  const others = draft.synonyms ? random.integer(MAXIMUM_SYNONYMS + 1) : 0;
  const directAnswers = Array.from({ length: DIRECT_ANSWERS }, (_, person) =>
    person < others ? random.pick(draft.synonyms ?? []) : draft.answer,
  );
  return {
    question: draft.question,
    choices: choices as SceneQuestion['choices'],
    correctChoiceIndex,
    directAnswers: random.shuffle(directAnswers),
    rationales: [...draft.rationales],
  };
}
