import { z } from 'zod';
import { openJsonLines } from '../core/append-json-lines.ts';
import { hashValue } from '../core/hash.ts';
import { readJsonLines } from '../core/read-json.ts';
import { askAll } from '../teacher/ask-with-retries.ts';
import type { ExtractedChoice } from './exact-matching.ts';
import { extractChoice, type UnclearAnswer } from './extract-choice.ts';

const keptSchema = z.object({ key: z.string(), reply: z.string() });

/**
 * Asks the teacher which choice each answer means. Replies are kept in a file, one a line, and requested only once, also
 * after an interruption.
 *
 * @param ask asks the teacher once
 * @returns in the order of the answers; undefined where the teacher's reply names no choice either
 * @throws what `ask` threw first, once the replies under way have arrived
 */
export async function extractWithTeacher(
  answers: readonly UnclearAnswer[],
  options: { ask: (prompt: string) => Promise<string>; file: string; concurrency: number },
): Promise<ExtractedChoice[]> {
  const replies = await openJsonLines(options.file);
  try {
    const kept = new Map((await readJsonLines(options.file, keptSchema)).map(({ key, reply }) => [key, reply]));
    const prompts = new Map(answers.map((answer) => [keyOf(answer), extractionPrompt(answer)]));
    const missing = [...prompts].filter(([key]) => !kept.has(key));
    await askAll(missing, options.concurrency, async ([key, prompt]) => {
      const reply = await options.ask(prompt);
      kept.set(key, reply);
      await replies.append({ key, reply });
    });
    return answers.map((answer) => extractChoice(kept.get(keyOf(answer)) ?? '', answer.choices));
  } finally {
    await replies.close();
  }
}

function keyOf({ question, choices, answer }: UnclearAnswer): string {
  return hashValue({ question, options: choices, answer });
}

/** The task is the official evaluation's: name the choice that the answer is closest to, Z when it is close to none. */
export function extractionPrompt({ question, choices, answer }: UnclearAnswer): string {
  const letters = choices.map(({ letter }) => letter).join(', ');
  return [
    'Someone answered a multiple-choice question in their own words. Decide which of the options the answer means.',
    `Reply with one letter and nothing else: ${letters}, or Z if it means none of them.`,
    '',
    'Question: What is on the table?',
    'Options: A. teddy bear B. rabbit C. cat D. dog',
    'Answer: a cute stuffed bear',
    'Reply: A',
    '',
    'Question: What is on the table?',
    'Options: A. teddy bear B. rabbit C. cat D. dog',
    'Answer: a spider',
    'Reply: Z',
    '',
    `Question: ${question}`,
    `Options: ${choices.map(({ letter, text }) => `${letter}. ${text}`).join(' ')}`,
    // On one line, so that it is an answer and no part of the prompt.
    `Answer: ${answer.replaceAll(/[\s\p{Cc}]+/gu, ' ').trim()}`,
    'Reply:',
  ].join('\n');
}
