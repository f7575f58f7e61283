/**
 * What the pages tell a person to type exists: every command of ours with its options, every npm script, every file
 * of the project, every link. `run-commands.long.test.ts` runs them.
 */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Command } from 'commander';
import { describe, expect, test } from 'vitest';
import { createProgram } from '../../cli/program.ts';
import { commandsInBlocks, commandsInSentences, readPages } from './pages.ts';

const texts = await readPages();
const pages = [...texts.keys()];
const scripts = Object.keys(JSON.parse(await readFile('package.json', 'utf8')).scripts);

/** The words after `dataengine` in a line. */
function wordsOfOurs(line: string): string[] | undefined {
  const call = /(?:^|\s)(?:npx dataengine|npm run(?: -s)? dataengine --|dataengine)\s+(.*)$/.exec(line)?.[1];
  return call?.split(/\s+[|>]/)[0]?.match(/'[^']*'|"[^"]*"|\S+/g) ?? undefined;
}

/** Walks down to the subcommand that the words name. */
function resolve(program: Command, words: string[]): { command: Command; rest: string[] } {
  let command = program;
  let rest = words;
  for (;;) {
    const next = command.commands.find((one) => one.name() === rest[0] || one.aliases().includes(rest[0] ?? ''));
    if (!next) return { command, rest };
    command = next;
    rest = rest.slice(1);
  }
}

describe.each(pages)('%s', (page) => {
  const text = texts.get(page) as string;

  test('names commands and options that exist', () => {
    const program = createProgram(new AbortController().signal);
    const wrong: string[] = [];
    for (const line of [...commandsInBlocks(text), ...commandsInSentences(text)]) {
      const words = wordsOfOurs(line);
      if (!words) continue;
      const { command, rest } = resolve(program, words);
      if (command === program && !rest[0]?.startsWith('-')) wrong.push(`no such command: ${line}`);
      for (const option of rest.filter((word) => /^--?[a-z]/.test(word)).map((word) => word.split('=')[0] as string)) {
        const known = [...command.options, ...program.options].flatMap(({ long, short }) => [long, short]);
        if (!known.includes(option) && !['--help', '-h'].includes(option)) wrong.push(`no option ${option}: ${line}`);
      }
    }
    expect(wrong).toEqual([]);
  });

  test('names npm scripts that exist', () => {
    const named = [...text.matchAll(/npm run (?:-s )?([a-z][a-z0-9:-]*)/g)].map(([, script]) => script as string);
    expect(named.filter((script) => !scripts.includes(script))).toEqual([]);
  });

  test('names configs that exist, and links to what is there', () => {
    const configs = [...text.matchAll(/\bconfigs\/[\w./-]+\.(?:yaml|md|json)\b/g)].map(([file]) => file);
    const links = [...text.matchAll(/\]\((?!https?:|#|mailto:)([^)#\s]+)/g)].map(([, link]) =>
      join(dirname(page), link as string),
    );
    expect([...configs, ...links].filter((file) => !existsSync(file))).toEqual([]);
  });
});

test('the README leads to every page', () => {
  const readme = texts.get('README.md') as string;
  expect(pages.filter((page) => page !== 'README.md' && !readme.includes(`(${page})`))).toEqual([]);
});
