import type { LocalAnswer } from './answer-format.ts';
import { classifyByKeywords, knowsTypes } from './classify-by-keywords.ts';
import type { ClassificationPrompt, DiscoveryPrompt, MergePrompt } from './read-prompt.ts';
import { mergeTypes, proposeTypes } from './wording/propose.ts';
import { sortByWording } from './wording/sort.ts';

/** Answers a prompt about types of questions: sorts questions, proposes types, or merges proposals. */
export function answerAboutTypes(read: ClassificationPrompt | DiscoveryPrompt | MergePrompt): LocalAnswer {
  if (read.kind === 'classify') return { kind: 'classification', text: classify(read) };
  const types =
    read.kind === 'merge'
      ? mergeTypes(read.types, read.maximum)
      : proposeTypes(read.questions, read.known, read.maximum);
  return { kind: 'types', text: JSON.stringify({ types }) };
}

/** The type of questions that fit none of the others, in lists of discovered types. */
const fallbackType = 'other';

/** Sorts questions by key words where the types are those it has rules for, otherwise by their wording. */
function classify(prompt: ClassificationPrompt): string {
  const { questions, types } = prompt;
  const texts = questions.map(({ question }) => question);
  const fallback = types.find(({ name }) => name === fallbackType)?.name;
  const found = knowsTypes(prompt) ? classifyByKeywords(prompt) : sortByWording(texts, types, fallback);
  return JSON.stringify({
    classified: questions.map(({ number }, index) => ({ number, question_type: found[index] })),
  });
}
