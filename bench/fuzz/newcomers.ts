/** What `npm run fuzz` feeds: folders that `dataengine init` looks at, and what a Hub answers. */
import { randomBytes } from 'node:crypto';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { dirname, join, resolve } from 'node:path';
import fc from 'fast-check';
import { parse } from 'yaml';
import { folderOfImages, imageFolder, listFolder, questionFacts, sideOf } from '../../cli/init/look-at-folder.ts';
import { lookAtTable } from '../../cli/init/questions-of-folder.ts';
import { type ConfigParts, configText } from '../../cli/init/write-config.ts';
import { configSchema } from '../../src/config/schema.ts';
import { hashBytes } from '../../src/core/hash.ts';
import { hubAccess } from '../../src/core/hub/hub-access.ts';
import { pullRepo } from '../../src/core/hub/pull-repo.ts';
import { damagedBytes, damagedJsonLines, damagedJsonText, hostileText } from './arbitraries.ts';
import { allowRefusal, placeSentinel } from './sentinel.ts';
import { type FuzzTarget, fuzzTarget } from './target.ts';

const questions = [
  { id: 'a', image: 'a/b.jpg', question: 'Which?', choices: ['red', 'blue'], answer: 'red', type: 'color' },
  { id: 'b', image: 'ü 1.png', question: 'How many?', answers: ['2', 'two'] },
];

/** A name that a file system takes. */
const fileName = hostileText
  .map((text) => text.replaceAll(/[/\0]/g, '_').slice(0, 60))
  .filter(
    (name) =>
      name !== '' && Buffer.from(name).toString() === name && !name.startsWith('.') && Buffer.byteLength(name) < 200,
  );

interface OfferedFolder {
  table: Buffer;
  name: string;
  images: string[];
}

const init = fuzzTarget<OfferedFolder>('init-folder', async (folder) => ({
  input: fc.record({
    table: damagedJsonLines(questions),
    name: fileName.map((name) => `${name}.jsonl`),
    images: fc.array(
      fc.oneof(
        fileName.map((name) => `${name}.jpg`),
        fc.constant('a/b.jpg'),
      ),
      { minLength: 1, maxLength: 3 },
    ),
  }),
  show: ({ table, name, images }) => JSON.stringify({ name, images, table: String(table) }),
  async take({ table, name, images }) {
    const own = join(folder, randomBytes(6).toString('hex'));
    try {
      for (const image of images) {
        await mkdir(dirname(join(own, image)), { recursive: true });
        await writeFile(join(own, image), 'x');
      }
      await mkdir(own, { recursive: true });
      await writeFile(join(own, name), table);
      const content = await listFolder(own);
      if (!content.tables.includes(name)) throw new Error('the table was not found');
      sideOf(name);
      await allowRefusal(async () => {
        const look = await lookAtTable(join(own, name));
        if (!('kind' in look) || look.kind !== 'questions') return;
        const facts = await questionFacts(join(own, name), false);
        await folderOfImages(name, facts.samples, [join(own, imageFolder(content.images)), own]).catch((error) =>
          allowRefusal(() => Promise.reject(error)),
        );
      });
    } finally {
      await rm(own, { recursive: true, force: true });
    }
  },
}));

const facts: ConfigParts['facts'] = {
  questions: 10,
  withChoices: 5,
  fewestChoices: 2,
  mostChoices: 4,
  shortAnswers: 5,
  areNumbers: true,
  types: 0,
  texts: 2,
  samples: [],
};

/** Whatever a person's files are called, the config says just that. */
const written = fuzzTarget<ConfigParts>('init-config', async () => ({
  input: fc.record({
    run: fc.constant('own'),
    output: fc.constantFrom('own.yaml', '/own/of/mine.yaml'),
    model: hostileText,
    isSmall: fc.boolean(),
    isBuiltIn: fc.boolean(),
    root: fileName.map((name) => `/${name}`),
    images: fileName,
    files: fc.record({ train: fileName, validation: fileName, test: fileName }),
    isAokvqa: fc.boolean(),
    conversations: fc.array(fileName, { maxLength: 2 }),
    facts: fc.constant(facts),
    types: fc.option(fc.oneof(fc.constantFrom('discover', 'column'), fileName), { nil: undefined }),
    poolImages: fc.nat(10_000),
    freeImages: fc.nat(10_000),
    skipInvalid: fc.boolean(),
    teacher: fc.record({
      provider: hostileText,
      baseUrl: fc.option(hostileText, { nil: undefined }),
      model: fc.option(hostileText, { nil: undefined }),
    }),
  }),
  async take(parts) {
    const value = parse(configText(parts));
    const { data, model, teacher } = value;
    const from = dirname(resolve(parts.output));
    const said = [
      resolve(from, model.path),
      resolve(from, data.root),
      data.images.train,
      data.validation.file,
      data.test.file,
      teacher.provider,
    ];
    const { files, images, root } = parts;
    const meant = [resolve(parts.model), resolve(root), images, files.validation, files.test, parts.teacher.provider];
    if (JSON.stringify(said) !== JSON.stringify(meant)) throw new Error(`the config says ${JSON.stringify(said)}`);
    // It may be refused for what it says, not for how it is written.
    configSchema.safeParse(value);
  },
}));

interface HubAnswers {
  info: Buffer;
  tree: Buffer;
  file: Buffer;
  status: number;
}

const content = Buffer.from('what the file says');
const commit = 'a'.repeat(40);
const listed = {
  type: 'file',
  path: 'data/a.txt',
  size: content.length,
  oid: 'b'.repeat(40),
  lfs: { oid: hashBytes(content), size: content.length, pointerSize: 130 },
};
const info = { _id: 'x', id: 'o/n', sha: commit, siblings: [], private: false, downloads: 0, likes: 0, tags: [] };
const named = hostileText.map((path) => Buffer.from(JSON.stringify([{ ...listed, path }])));

/** A Hub that answers as it likes: nothing is written but what it lists, below the folder, with the listed content. */
const hub = fuzzTarget<HubAnswers>('hub-answers', async (folder) => {
  let answers: HubAnswers = { info: Buffer.from(''), tree: Buffer.from(''), file: Buffer.from(''), status: 200 };
  const server = createServer((request, response) => {
    request.resume();
    const path = request.url ?? '';
    const body = path.includes('/tree/') ? answers.tree : path.includes('/resolve/') ? answers.file : answers.info;
    const isFile = path.includes('/resolve/');
    response.writeHead(isFile ? answers.status : 200, {
      'content-type': isFile ? 'application/octet-stream' : 'application/json',
      'content-length': body.length,
      connection: 'close',
    });
    response.end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const access = await hubAccess(
    { secrets: [] },
    { HF_ENDPOINT: `http://127.0.0.1:${port}`, HF_TOKEN_PATH: join(folder, 'none') },
  );
  const { root, check } = await placeSentinel(folder);
  return {
    input: fc.record({
      info: fc.oneof({ weight: 3, arbitrary: fc.constant(Buffer.from(JSON.stringify(info))) }, damagedJsonText(info)),
      tree: fc.oneof(fc.constant(Buffer.from(JSON.stringify([listed]))), damagedJsonText([listed]), named),
      file: fc.oneof(fc.constant(content), damagedBytes(content)),
      status: fc.constantFrom(200, 200, 206, 404, 416, 500),
    }),
    show: ({ status, ...bodies }) =>
      JSON.stringify({
        status,
        ...Object.fromEntries(Object.entries(bodies).map(([name, body]) => [name, String(body)])),
      }),
    async take(given) {
      answers = given;
      const repo = { type: 'dataset' as const, name: 'o/n' };
      const output = join(root, 'pulled');
      try {
        await allowRefusal(() =>
          pullRepo(access, { repo, revision: 'main', output, mostBytes: 1_000_000 }).then(() => {}),
        );
        await check();
      } finally {
        await rm(root, { recursive: true, force: true });
      }
    },
    close: () => new Promise<void>((resolve) => server.close(() => resolve())),
  };
});

export const newcomerTargets: readonly FuzzTarget[] = [init, written, hub];
