/** Runs VLMEvalKit's data sets on made TSVs against a server, and reads what it wrote. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { hashValue } from '../../src/core/hash.ts';
import { joinInside } from '../../src/core/inside.ts';
import { readJson } from '../../src/core/read-json.ts';
import type { BridgeRun, Part } from './bridge-part.ts';
import { compareVerdicts, type Peer } from './compare.ts';
import { drawFor, drawSet } from './draws.ts';
import { evaluateHere } from './own-scores.ts';
import { runProgram } from './run-program.ts';
import { type TsvBenchmark, tsvBenchmarks } from './tsv-benchmarks.ts';
import { type TsvRow, writeTsv } from './tsv-files.ts';

const verdictsSchema = z.array(z.object({ id: z.string(), score: z.number().min(0).max(1) }));
const promptsSchema = z.record(z.string(), z.string());
const answersSchema = z.record(z.string(), z.string());

export function tsvRowsOf({ name, rows }: TsvBenchmark, images: number, questions: number): TsvRow[] {
  return rows(drawFor(name, 'test', drawSet('test', images), questions));
}

/** What it asked, heard and decided, in the order of the verdicts. */
export async function readVerdicts(folder: string): Promise<(Peer & { id: string })[]> {
  const verdicts = await readJson(join(folder, 'verdicts.json'), verdictsSchema);
  const prompts = await readJson(join(folder, 'prompts.json'), promptsSchema);
  const answers = await readJson(join(folder, 'answers.json'), answersSchema);
  return verdicts.map(({ id, score }, number) => ({
    ...{ id, number, score },
    prompt: prompts[id],
    answer: answers[id] ?? '',
  }));
}

/** @param checkout of github.com/open-compass/VLMEvalKit */
export function vlmevalkitParts(run: BridgeRun, checkout: string): Part[] {
  return tsvBenchmarks.map((benchmark): Part => {
    const { name, set, measure } = benchmark;
    const rows = tsvRowsOf(benchmark, run.imageCount, run.questions);
    const folder = joinInside(run.results, `vlmevalkit/${name}`);
    return {
      ...{ peer: 'VLMEvalKit', name, folder, questions: rows.length, differs: benchmark.differs },
      key: hashValue({ weights: run.weights, rows, set }),
      async compare({ url, model }) {
        const data = join(folder, 'data');
        const file = joinInside(data, `${name}.tsv`);
        await writeTsv(file, rows, run.images);
        const output = join(folder, 'output');
        const script = ['bench/bridge/vlmevalkit.py', checkout, data, name, url, model, output];
        await runProgram([run.python, ...script], { log: run.log, environment: { NO_PROXY: '127.0.0.1' } });
        const theirs = await readVerdicts(output);
        const own = await evaluateHere({ ...set, file }, measure, { url, model, output: join(folder, 'own') });
        const ids = theirs.map(({ id }) => id);
        const results = (await readdir(output)).filter((one) => /_(?:result|results|auxmatch)\.tsv$/.test(one));
        return {
          ...compareVerdicts(theirs, own.answers, ids),
          figures: {},
          files: ['verdicts.json', 'prompts.json', 'answers.json', ...results].map((one) => joinInside(output, one)),
        };
      },
    };
  });
}
