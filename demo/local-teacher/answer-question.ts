import { seededRandom } from '../../src/core/seeded-random.ts';
import { askQuestion, QUESTION_TYPES } from '../scenes/questions.ts';
import type { AnswerPrompt } from './read-prompt.ts';
import { sceneOf } from './scene-of.ts';

// Of the ways to ask about a scene, one in some dozens is the one looked for.
const attempts = 60;

/**
 * Answers a question from the facts: by asking about the scene until the same question comes up, whose answer is
 * known then. Without facts, or for a question it would never ask, it guesses, each time the same.
 */
export function answerQuestion(prompt: AnswerPrompt, seed: number | string): string {
  const random = seededRandom(String(seed)).fork(`${prompt.question} ${prompt.choices.join(' ')}`);
  const known = prompt.captions.length > 0 ? lookUp(prompt) : undefined;
  const place = known === undefined ? random.integer(Math.max(1, prompt.choices.length)) : known;
  const reason = known === undefined ? 'It seems the most likely.' : 'The facts say so.';
  return `${reason}\nAnswer: (${'ABCDEFGH'[place]})`;
}

function lookUp(prompt: AnswerPrompt): number | undefined {
  const scene = sceneOf(prompt);
  const random = seededRandom('look up');
  for (let attempt = 0; attempt < attempts; attempt += 1) {
    for (const type of QUESTION_TYPES) {
      const asked = askQuestion(type, scene, random.fork(`${type} ${attempt}`));
      if (asked?.question !== prompt.question) continue;
      const place = prompt.choices.indexOf(asked.choices[asked.correctChoiceIndex] as string);
      if (place >= 0) return place;
    }
  }
  return undefined;
}
