/**
 * What the pages name exists: every command of ours with its options, every npm script, every file
 * of the project, every link; and that its configs are valid. `run-commands.long.test.ts` runs them.
 */
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import type { Command } from 'commander';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { createProgram } from '../../cli/program.ts';
import { loadConfig } from '../../src/config/load-config.ts';
import { type Config, configJsonSchema } from '../../src/config/schema.ts';
import { loadWorkerSettings, type WorkerSettings, workerSettingsVariable } from '../../src/core/worker-settings.ts';
import { engineSampleSchema } from '../../src/datasets/engine-data.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';
import { commandsInBlocks, commandsInSentences, readPages } from './pages.ts';

const texts = await readPages();
const pages = [...texts.keys()];
const scripts = Object.keys(JSON.parse(await readFile('package.json', 'utf8')).scripts);

/** Every key of a config, such as `temporal.taskQueues.gpu`, and the groups at its top. */
const keys = new Set(keysOf(configJsonSchema()));
const sections = new Set([...keys].filter((key) => key.includes('.')).map((key) => key.split('.')[0] as string));

function keysOf(schema: unknown, prefix = ''): string[] {
  const { properties = {} } = schema as { properties?: Record<string, unknown> };
  return Object.entries(properties).flatMap(([key, inner]) => [prefix + key, ...keysOf(inner, `${prefix}${key}.`)]);
}

/** A file of the project, named from its folder; not one with a placeholder such as `<family>`. */
const projectFile =
  /(?<![\w./-])((?:activities|bench|bin|cli|configs|data|demo|deploy|docs|examples|scripts|src|test|workers|workflows)\/[\w./-]*\.(?:ts|mjs|py|txt|yaml|md|json|Dockerfile)\b)/g;

/** Where the links of a page lead: files by their path from the project's folder. */
function linksOf(page: string, text: string): { file: string; heading?: string }[] {
  return [...text.matchAll(/\]\((?!https?:|mailto:)([^)#\s]*)(?:#([^)\s]+))?\)/g)].map(([, link, heading]) => ({
    file: link ? join(dirname(page), link) : page,
    heading,
  }));
}

/** The anchors that GitHub gives the headings of a page. */
function headingsOf(text: string): string[] {
  return [...text.matchAll(/^#+ (.+)$/gm)].map(([, title]) =>
    (title as string)
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
      .replaceAll(' ', '-'),
  );
}

/** Reads a config of a page; one that extends nothing is an excerpt, of the demo's config here. */
async function loadExcerpt(block: string): Promise<Config> {
  const base = /^extends: *(\S+)/m.exec(block)?.[1] ?? 'configs/demo.yaml';
  const file = join(await temporaryFolder(), 'config.yaml');
  await writeFile(file, `extends: ${resolve(base)}\n${block.replace(/^extends:.*$/m, '')}`);
  return loadConfig(file);
}

/** The words after `dataengine` in a line. */
function wordsOfOurs(line: string): string[] | undefined {
  const call = /(?:^|\s)(?:npx dataengine|npm run(?: -s)? dataengine --|dataengine)\s+(.*)$/.exec(line)?.[1];
  return call?.split(/\s+[|>]/)[0]?.match(/'[^']*'|"[^"]*"|\S+/g) ?? undefined;
}

/** Walks down to the subcommand that the words name. */
function findCommand(program: Command, words: string[]): { command: Command; rest: string[] } {
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
      const { command, rest } = findCommand(program, words);
      if (command === program && !rest[0]?.startsWith('-')) wrong.push(`no such command: ${line}`);
      // Its options are those of the Temporal CLI.
      if (command.name() === 'temporal') continue;
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

  test('names files that exist, and links to what is there', () => {
    const files = [...text.matchAll(projectFile)].map(([, file]) => file as string);
    const links = linksOf(page, text).map(({ file }) => file);
    expect([...files, ...links].filter((file) => !existsSync(file))).toEqual([]);
  });

  test('links to headings that exist', () => {
    const missing = linksOf(page, text).filter(
      ({ file, heading }) => heading && !headingsOf(texts.get(file) ?? '').includes(heading),
    );
    expect(missing).toEqual([]);
  });

  test('names config keys that exist', () => {
    const named = [...text.matchAll(/`([a-z]+\.[A-Za-z.]+)(?:: [^`]*)?`/g)].map(([, key]) => key as string);
    const groups = named.filter((key) => sections.has(key.split('.')[0] as string) && !/\.(?:json|md|ts)$/.test(key));
    expect(groups.filter((key) => !keys.has(key))).toEqual([]);
  });

  test('shows configs that are valid', async () => {
    const blocks = [...text.matchAll(/^```yaml\n([\s\S]*?)^```/gm)].map(([, block]) => block as string);
    const load = page === 'docs/worker-settings.md' ? loadSettings : loadExcerpt;
    for (const block of blocks) await expect(load(block), block).resolves.toBeDefined();
  });
});

/** Readers of the records that pages show. */
const records = {
  'docs/formats.md': engineSampleSchema,
  'docs/data.md': z.looseObject({ messages: z.array(z.unknown()) }),
};

test.each(Object.entries(records))('the record on %s is whole, and is read', async (page, schema) => {
  const blocks = [...(texts.get(page) ?? '').matchAll(/^```json\n([\s\S]*?)^```/gm)].map(([, block]) => block ?? '');
  expect(blocks.length).toBeGreaterThan(0);
  for (const block of blocks) expect(schema.safeParse(JSON.parse(block)).error, block).toBeUndefined();
});

test('no other page shows JSON that nothing reads', () => {
  const others = pages.filter((page) => /^```jsonl?\n/m.test(texts.get(page) ?? '') && !Object.hasOwn(records, page));
  expect(others).toEqual([]);
});

test('the first config on the page about extending is whole: its own keys and what it extends', async () => {
  const [, block = ''] = /^```yaml\n([\s\S]*?)^```/m.exec(texts.get('docs/extending.md') ?? '') ?? [];
  expect(block).toMatch(/^extends: configs\//);
  const config = await loadExcerpt(block);
  expect(config).toMatchObject({ run: 'birds', data: { root: '/data/birds' }, teacher: { provider: 'openai' } });
});

async function loadSettings(block: string): Promise<WorkerSettings> {
  const file = join(await temporaryFolder(), 'worker.yaml');
  await writeFile(file, block);
  return loadWorkerSettings({ [workerSettingsVariable]: file });
}

test('the README has at most 150 lines', () => {
  expect(texts.get('README.md')?.trimEnd().split('\n').length).toBeLessThanOrEqual(150);
});

test('the README leads to every page', () => {
  // The recipes by a page of their own.
  const links = ['README.md', 'docs/recipes/README.md'].flatMap((page) => linksOf(page, texts.get(page) as string));
  const led = new Set(['README.md', ...links.map(({ file }) => file)]);
  expect(pages.filter((page) => !led.has(page))).toEqual([]);
});
