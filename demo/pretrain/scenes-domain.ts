/** The demo's rendered scenes, as pretraining sees them. */
import { answerQma, listedQuestion } from '../../src/datasets/question-text.ts';
import { miniGpt4PromptForm } from '../../src/model/families/minigpt4/prompt.ts';
import { questionTurn } from '../../src/model/families/prompt-form.ts';
import { askQuestion, QUESTION_TYPES } from '../scenes/questions.ts';
import { renderScenePixels } from '../scenes/render.ts';
import { randomScene, type Scene } from '../scenes/scene.ts';
import type { PretrainingDomain } from './domain.ts';
import { stage1Text, TEXT_KINDS, type TextKind } from './stage1-texts.ts';
import { sceneTargets } from './vision-labels.ts';

export const scenesDomain: PretrainingDomain<Scene> = {
  draw: randomScene,
  pixels: renderScenePixels,
  vision: sceneTargets,
  textKinds: TEXT_KINDS,
  reportedKind: 'match',
  text: (kind, scene, random) => stage1Text(kind as TextKind, scene, random),
  question(scene, random) {
    const asked = askQuestion(random.pick(QUESTION_TYPES), scene, random);
    if (!asked) return undefined;
    const { question, choices, correctChoiceIndex } = asked;
    const prompt = questionTurn(miniGpt4PromptForm, listedQuestion(question, choices), { withImage: true });
    return { prompt, answer: answerQma(choices, correctChoiceIndex) };
  },
};
