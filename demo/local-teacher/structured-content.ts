import type { StructuredAnswer } from '../../src/generation/parse-answer.ts';
import type { LocalAnswer } from './answer-prompt.ts';

/**
 * What a teacher says when it may only write JSON: the same answer in the fields of `structured-answer.ts`. An answer
 * with a mistake in its form can't be said so; its parts are left empty. A classification is JSON already, and of a choice
 * (`verification.ts`) there are the reason and the letter.
 */
export function structuredContent({ text, kind }: LocalAnswer): string {
  if (kind === 'classification') return text;
  if (kind === 'letter') {
    const [reason = '', last = ''] = text.split('\n');
    return JSON.stringify({ reason, answer: /\(([A-D])\)/.exec(last)?.[1] ?? 'none' });
  }
  const part = (heading: string) => new RegExp(`^${heading}: (.*)$`, 'm').exec(text)?.[1] ?? '';
  const choices = part('Choices')
    .split(/\s?\([A-Z]\) /)
    .slice(1);
  const letter = /\(([A-D])\)/.exec(part('Answer'))?.[1] as StructuredAnswer['answer'] | undefined;
  const answer: StructuredAnswer = {
    skip_reason: kind === 'skip' ? text.replace(/^Skip: /, '') : null,
    question: part('Question'),
    choices,
    answer: letter ?? 'A',
    explanation: part('Explanations'),
  };
  return JSON.stringify(answer);
}
