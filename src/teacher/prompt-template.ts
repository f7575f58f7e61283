import { z } from 'zod';
import { hashBytes } from '../core/hash.ts';
import { describeFirstIssue, InputError } from '../core/input-error.ts';
import { parsePlainYaml } from '../core/plain-yaml.ts';
import { readTextFile } from '../core/read-json.ts';

const mostBytesOfPrompt = 1_000_000;

const frontMatter = z.strictObject({
  /** The name of the file of a version that is made from this one. */
  version: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/, 'use letters, digits, ".", "_" and "-"'),
  model: z.string().min(1),
  temperature: z.number().min(0).max(2),
  topP: z.number().gt(0).max(1),
  maximumTokens: z.number().int().positive(),
});

/** A message of a chat, as OpenAI's API takes it. */
export interface ChatMessage {
  role: 'system' | 'user' | 'assistant';
  content: string;
}

/** A version of a prompt, with the model settings it was written for. */
export interface PromptTemplate extends z.output<typeof frontMatter> {
  system: string;
  /** With `{{name}}` in the place of each value. */
  user: string;
  /** SHA-256 of the whole file. */
  hash: string;
}

/**
 * Reads a prompt: Markdown with front matter, a `# System` part and a `# User` part.
 *
 * @param placeholders the names that the prompt must have, each as `{{name}}`, and no others
 * @throws InputError when a part, a setting or a placeholder is missing or unknown
 */
export async function readPromptTemplate(
  file: string,
  placeholders: readonly string[] = generationPlaceholders,
): Promise<PromptTemplate> {
  return parsePromptTemplate(await readTextFile(file, mostBytesOfPrompt), file, placeholders);
}

/**
 * Parses the text of a prompt. The teacher that revises a prompt is sent the error's message, so it counts as a part of its
 * prompt.
 *
 * @throws InputError as `readPromptTemplate` does, with the given name of the file
 */
export function parsePromptTemplate(
  source: string,
  file: string,
  placeholders: readonly string[] = generationPlaceholders,
): PromptTemplate {
  const text = source.replaceAll('\r\n', '\n');
  const parts = partsOf(text);
  if (parts === undefined) {
    throw new InputError({
      file,
      problem: 'is not a prompt',
      remedy: 'Start it with front matter between two lines "---", then a part "# System" and a part "# User"',
    });
  }
  const { settings, system, user } = parts;
  checkPlaceholders(file, `${system}\n${user}`, placeholders);
  return { ...readFrontMatter(file, settings), system: system.trim(), user: user.trim(), hash: hashBytes(text) };
}

/** By searches that go over the text once, as no expression for all of it would. */
function partsOf(text: string): { settings: string; system: string; user: string } | undefined {
  const start = /\n---\n\s*# System(?=\n)/.exec(text);
  if (!text.startsWith('---\n') || start === null || start.index < 3) return undefined;
  const rest = text.slice(start.index + start[0].length);
  const end = rest.indexOf('\n# User\n');
  if (end < 0) return undefined;
  const settings = text.slice('---\n'.length, start.index);
  return { settings, system: rest.slice(1, end), user: rest.slice(end + '\n# User\n'.length) };
}

/** The placeholders of a prompt for generation about images of which the teacher is told captions and boxes. */
const generationPlaceholders = ['captions', 'boxes', 'type_title', 'type_explanation', 'examples'] as const;

/**
 * Replaces the placeholders of a prompt by values. A value is plain text: what looks like a placeholder in it stays.
 *
 * @throws Error when a placeholder has no value
 */
export function fillTemplate(template: PromptTemplate, values: Readonly<Record<string, string>>): ChatMessage[] {
  const fill = (text: string) =>
    text.replace(placeholderPattern, (_, name: string) => {
      const value = values[name];
      if (value === undefined) throw new Error(`Prompt ${template.version} has no value for {{${name}}}`);
      return value;
    });
  return [
    { role: 'system', content: fill(template.system) },
    { role: 'user', content: fill(template.user) },
  ];
}

const placeholderPattern = /\{\{(\w+)\}\}/g;

function readFrontMatter(file: string, text: string): z.output<typeof frontMatter> {
  // It starts on the file's second line.
  const result = frontMatter.safeParse(parsePlainYaml(text, file, { firstLine: 2 }).value);
  if (result.success) return result.data;
  throw new InputError({ file, ...describeFirstIssue(result.error), remedy: 'Correct the front matter' });
}

function checkPlaceholders(file: string, text: string, expected: readonly string[]): void {
  const found = new Set(Array.from(text.matchAll(placeholderPattern), (match) => match[1] as string));
  const missing = expected.find((name) => !found.has(name));
  if (missing) {
    throw new InputError({ file, problem: `has no place {{${missing}}}`, remedy: 'Put it where the value belongs' });
  }
  const unknown = [...found].find((name) => !expected.includes(name));
  if (unknown) {
    const known = expected.map((name) => `{{${name}}}`).join(', ');
    throw new InputError({ file, problem: `has an unknown place {{${unknown}}}`, remedy: `Known are ${known}` });
  }
}
