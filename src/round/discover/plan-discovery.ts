/** How many requests for question types there may be, and what they will take. */
import type { Config } from '../../config/schema.ts';
import {
  type AnsweredQuestionText,
  type DiscoveryPrompts,
  inEvenBatches,
  proposalMessages,
} from '../../generation/discover-types.ts';
import { otherType, type QuestionType } from '../../generation/question-type.ts';
import type { ChatMessage } from '../../teacher/prompt-template.ts';
import { type PlannedRequests, planRequests } from '../teacher-price.ts';

const tokensOfType = 60;
/** Types in one request that merges them. */
const mostMerged = 100;

/** As many types as the teacher may propose, and the questions that fit none. */
export function longestList(maximum: number): QuestionType[] {
  const types = Array.from({ length: maximum }, (_, index) => ({
    ...otherType,
    name: `type_${index + 1}`,
    explanation: 'Questions about a kind of thing, such as "How many … are in the …?" or "What is the … of the …?".',
  }));
  return [...types, otherType];
}

/** Proposals for all batches of questions, and the merging of as many types as may be. */
export function planDiscovery(
  { discover, merge }: DiscoveryPrompts,
  { maximum, batchSize }: Config['questionTypes'],
  questions: readonly AnsweredQuestionText[],
  known: readonly QuestionType[] = [],
): PlannedRequests {
  const batches = inEvenBatches(questions, batchSize);
  const merges = batches.length > 1 ? Math.max(1, Math.ceil((batches.length * maximum) / mostMerged)) : 0;
  const types = JSON.stringify(longestList(maximum));
  const messages = [
    ...batches.map((batch) => proposalMessages(discover, batch, known, maximum)),
    ...Array.from({ length: merges }, (): ChatMessage[] => [
      { role: 'system', content: merge.system },
      { role: 'user', content: merge.user + types },
    ]),
  ];
  return planRequests(messages, { likely: maximum * tokensOfType, most: discover.maximumTokens });
}
