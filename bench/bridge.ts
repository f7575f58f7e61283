/**
 * The bridge to other evaluation programs: lmms-eval's own tasks, and with a checkout VLMEvalKit's own data sets, pointed at local
 * files, ask `dataengine serve`; then `evaluate --endpoint` asks the same server the same files, and scores and verdicts are
 * compared, question by question. What is finished is kept in `.cache/bridge` and skipped by the next call. See docs/bridge.md.
 *
 * Usage: npm run bridge [-- --questions 120 --only pope,gqa --vlmevalkit FOLDER --record]
 */
import { mkdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { fileExists } from '../src/core/files.ts';
import { hashFile } from '../src/core/hash.ts';
import { readJson } from '../src/core/read-json.ts';
import { writeJson } from '../src/core/write-file.ts';
import type { BridgeRun, Part } from './bridge/bridge-part.ts';
import { type Result, resultSchema } from './bridge/compare.ts';
import { bridgePython } from './bridge/environment.ts';
import { writeSet } from './bridge/files.ts';
import { askLmmsEval, lmmsEvalParts } from './bridge/lmms-eval.ts';
import { bridgeModel } from './bridge/model.ts';
import { agreementOf, record, table } from './bridge/record.ts';
import { startServer } from './bridge/server.ts';
import { vlmevalkitParts } from './bridge/vlmevalkit.ts';

const IMAGES = 240;
const { values: flags } = parseArgs({
  options: {
    questions: { type: 'string', default: '120' },
    only: { type: 'string' },
    vlmevalkit: { type: 'string' },
    record: { type: 'boolean', default: false },
  },
});
const questions = Number(flags.questions);
if (!Number.isInteger(questions) || questions < 2) throw new Error('--questions must be a whole number of at least 2');
if (flags.record && flags.only !== undefined) throw new Error('--record keeps all benchmarks anew: leave --only out');

const root = '.cache/bridge';
await mkdir(root, { recursive: true });
const log = join(root, 'log.txt');
const say = (line: string) => process.stderr.write(`${line}\n`);
const python = await bridgePython(root, log);
say('The model that is asked: trained once, in minutes …');
const model = await bridgeModel(root, log);
const weights = await hashFile(join(model, 'model.safetensors'));
const { files, images } = await writeSet(join(root, `test-${questions}`), 'test', { images: IMAGES, questions });
const results = join(root, `results-${questions}`);
const run: BridgeRun = { python, images, imageCount: IMAGES, questions, weights, results, log };
const all = [
  ...lmmsEvalParts(run, files),
  ...(flags.vlmevalkit === undefined ? [] : vlmevalkitParts(run, resolve(flags.vlmevalkit))),
];
const parts = chosenOf(all, flags.only?.split(','));
const open: Part[] = [];
for (const part of parts) if ((await knownResult(part)) === undefined) open.push(part);
if (open.length > 0) {
  const server = await startServer(model, join(root, 'server.log'));
  try {
    const theirs = files.filter(({ benchmark }) => open.some(isOf('lmms-eval', benchmark.name)));
    if (theirs.length > 0) {
      say(`lmms-eval asks ${theirs.map(({ benchmark }) => benchmark.name).join(', ')} …`);
      await askLmmsEval(run, theirs, server);
    }
    for (const part of open) {
      say(`${part.peer} ${part.name}: the same ${part.questions} questions asked here, and compared …`);
      const compared = await part.compare(server);
      const result: Result = { key: part.key, peer: part.peer, benchmark: part.name, ...compared };
      await writeJson(resultFile(part), result);
    }
  } finally {
    await server.stop();
  }
}
const done: Result[] = [];
for (const part of parts) done.push({ ...(await readJson(resultFile(part), resultSchema)), differs: part.differs });
if (flags.record) await record(done, { questions, images: IMAGES });
console.log(table(done));
console.log(JSON.stringify({ bench: 'bridge', ...agreementOf(done) }));

function isOf(peer: string, name: string): (part: Part) => boolean {
  return (part) => part.peer === peer && part.name === name;
}

/** @throws Error for a name that no part has */
function chosenOf(parts: readonly Part[], names: readonly string[] | undefined): Part[] {
  const unknown = names?.find((name) => !parts.some((part) => part.name === name));
  if (unknown === undefined) return parts.filter(({ name }) => names === undefined || names.includes(name));
  throw new Error(`--only: there is no ${unknown}; there are ${parts.map(({ name }) => name).join(', ')}`);
}

function resultFile({ folder }: Part): string {
  return join(folder, 'result.json');
}

async function knownResult(part: Part): Promise<Result | undefined> {
  const file = resultFile(part);
  if (!(await fileExists(file))) return undefined;
  const result = await readJson(file, resultSchema);
  return result.key === part.key ? result : undefined;
}
