import { createTwoFilesPatch } from 'diff';
import {
  type ChatMessage,
  fillTemplate,
  type PromptTemplate,
  parsePromptTemplate,
} from '../../teacher/prompt-template.ts';
import { TeacherError } from '../../teacher/teacher-error.ts';
import { oneLine } from '../prompt.ts';
import type { PromptSample } from './prompt-samples.ts';

export const diagnosePlaceholders = ['prompt', 'verdicts'] as const;
export const revisePlaceholders = ['prompt', 'verdicts', 'diagnosis', 'problem'] as const;

/** A person's verdict on a sample generation. */
export interface SampleVerdict {
  sample: string;
  verdict: 'good' | 'bad';
  comment?: string | undefined;
}

/** A revised prompt that can be used as it is. */
export interface PromptProposal {
  /** The whole file, front matter included. */
  text: string;
  diagnosis: string;
  /** Unified, against the prompt that was judged. */
  diff: string;
}

const attempts = 3;

/**
 * Asks the teacher what was confusing, then for a revised prompt. A proposal that lacks a placeholder or changes nothing
 * is sent back with its problem.
 *
 * @param input.prompt the whole file of the prompt that was judged
 * @param input.comment the person's remarks besides the verdicts
 * @throws TeacherError, not retryable, when no proposal can be used; errors of `ask`
 */
export async function revisePrompt(input: {
  prompt: string;
  samples: readonly PromptSample[];
  verdicts: readonly SampleVerdict[];
  comment?: string | undefined;
  templates: { diagnose: PromptTemplate; revise: PromptTemplate };
  /** What the prompt must have a place for. Default: those with captions and boxes. */
  placeholders?: readonly string[];
  ask: (messages: ChatMessage[], template: PromptTemplate) => Promise<{ text: string }>;
}): Promise<PromptProposal> {
  const { templates, placeholders, ask } = input;
  const { frontMatter, body } = splitFrontMatter(input.prompt);
  const values = { prompt: body.trim(), verdicts: describeVerdicts(input) };
  const { text: diagnosis } = await ask(fillTemplate(templates.diagnose, values), templates.diagnose);

  let problem = '';
  for (let attempt = 1; attempt <= attempts; attempt += 1) {
    const { text: answer } = await ask(
      fillTemplate(templates.revise, { ...values, diagnosis, problem }),
      templates.revise,
    );
    const revised = /<prompt>\n([\s\S]*)\n<\/prompt>/.exec(answer)?.[1]?.trim();
    const text = `${frontMatter}${revised ?? ''}\n`;
    const defect =
      revised === undefined
        ? 'it was not between <prompt> and </prompt>'
        : findDefect(text, input.prompt, placeholders);
    if (defect === undefined) return { text, diagnosis, diff: diffOf(input.prompt, text) };
    problem = `Your last proposal can't be used: ${defect}.`;
  }
  throw new TeacherError(`The teacher proposed no prompt that can be used. ${problem}`, { retryable: false });
}

function findDefect(text: string, before: string, placeholders?: readonly string[]): string | undefined {
  if (text.trim() === before.trim()) return 'it is the same as before';
  try {
    parsePromptTemplate(text, 'the prompt', placeholders);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** The change from one prompt to the next, as `diff -u` writes it. */
function diffOf(before: string, after: string): string {
  return createTwoFilesPatch('before', 'after', before, after, '', '', { context: 2 });
}

function describeVerdicts({
  samples,
  verdicts,
  comment,
}: {
  samples: readonly PromptSample[];
  verdicts: readonly SampleVerdict[];
  comment?: string | undefined;
}): string {
  const verdictOf = new Map(verdicts.map((verdict) => [verdict.sample, verdict]));
  const judged = samples.flatMap((sample) => {
    const verdict = verdictOf.get(sample.id);
    if (!verdict) return [];
    const said = verdict.comment ? `: ${oneLine(verdict.comment)}` : '';
    return [
      [
        `- ${verdict.verdict}${said}`,
        `Question type: ${sample.question_type}`,
        `What was known of the picture: ${factsOf(sample.prompt)}`,
        `Answer: ${sample.answer}`,
        ...(sample.problem ? [`It would be dropped (${sample.problem}).`] : []),
      ].join('\n'),
    ];
  });
  return [...judged, ...(comment ? [`- in general: ${oneLine(comment)}`] : [])].join('\n\n');
}

function factsOf(prompt: string): string {
  const captions = /^## Captions\n([\s\S]*?)^## /m.exec(prompt)?.[1] ?? '';
  return oneLine(captions.replace(/^- /gm, '')) || 'see the prompt';
}

function splitFrontMatter(text: string): { frontMatter: string; body: string } {
  const match = /^(---\n[\s\S]*?\n---\n\s*)([\s\S]*)$/.exec(text.replaceAll('\r\n', '\n'));
  return { frontMatter: match?.[1] ?? '', body: match?.[2] ?? text };
}
