/**
 * Scores what answers at an endpoint on one benchmark, outside of a run.
 */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { OpenAI } from 'openai';
import type { Access } from '../../core/access.ts';
import type { ExifMode } from '../../core/images/image-kind.ts';
import { InputError } from '../../core/input-error.ts';
import { joinInside } from '../../core/inside.ts';
import { runStepOnce } from '../../core/manifest.ts';
import { readJsonLines } from '../../core/read-json.ts';
import { writeJson, writeJsonLines } from '../../core/write-file.ts';
import type { AnsweredQuestion } from '../../evaluation/benchmarks/benchmark.ts';
import { benchmarkOf } from '../../evaluation/benchmarks/index.ts';
import { askEndpoint } from '../../evaluation/endpoint/ask-endpoint.ts';
import { type Endpoint, endpointClient, endpointUrl, listModels } from '../../evaluation/endpoint/client.ts';
import { type Identified, identify, rankingOf } from '../../evaluation/endpoint/fingerprint.ts';
import type { Ranking } from '../../evaluation/endpoint/rankings.ts';
import type { Scores } from '../../evaluation/evaluation-files.ts';
import type { JudgedSet } from '../../evaluation/judge/judge-figures.ts';
import { rankAnswers } from '../../evaluation/rank-answers.ts';
import type { BootstrapSettings } from '../../evaluation/statistics/bootstrap.ts';
import { askWithRetries } from '../../teacher/ask-with-retries.ts';
import type { CallSummary } from '../../teacher/call-log.ts';
import { appendToLedger } from '../../teacher/ledger.ts';
import type { Rate } from '../../teacher/pacer.ts';
import { tokensOf } from '../../teacher/teacher-chunk.ts';
import { type EvaluationQuestion, evaluationAnswerSchema } from '../../trainer/job-files.ts';
import type { Progress } from '../../trainer/protocol.ts';
import { askQuestions, type EvaluationSet, hashAsked, hashQuestions, readEvaluationSet } from '../evaluation-sets.ts';
import { writeScores } from '../score-questions.ts';

export interface EvaluateEndpointInput {
  set: EvaluationSet;
  endpoint: Omit<Endpoint, 'model'> & { model?: string | undefined };
  /** Folder for the evaluations of endpoints, each in a folder of its own. */
  output: string;
  exif: ExifMode;
  /** Open requests. */
  concurrency: number;
  limits: Rate;
  bootstrap: BootstrapSettings;
  /** Which secrets may go to which hosts. */
  access: NonNullable<Access>;
  onProgress(progress: Progress): void;
  signal: AbortSignal;
  /** Has the teacher score the written answers, for a set with the metric `judge`. */
  judge?: ((answered: readonly AnsweredQuestion[], folder: string) => Promise<JudgedSet>) | undefined;
}

/** Raised whenever the same answers mean something else. */
const askedVersion = 1;
const callsFolder = 'calls';
const answersFile = 'answers.jsonl';
const fingerprintFile = 'fingerprint.json';
/** Tries of a single request: half a minute. */
const attempts = 6;

/**
 * Has an endpoint answer the questions of a set, and scores the answers. They are kept under the address, the model's name and
 * its fingerprint, and asked once. An interrupted evaluation resumes after the last answer, also when the server was restarted.
 *
 * @returns the scores and the folder that they are in
 * @throws InputError when the endpoint answers otherwise at the end than at the start; for a benchmark file, images or a key
 *   that can't be used. TeacherError when the endpoint does not answer
 */
export async function evaluateEndpoint(input: EvaluateEndpointInput): Promise<{ scores: Scores; folder: string }> {
  const { set, signal, access } = input;
  const url = endpointUrl(input.endpoint.url);
  const client = endpointClient(input.endpoint, access);
  const retried = <R>(ask: () => Promise<R>) => askWithRetries(ask, { attempts, signal });
  const model = input.endpoint.model ?? (await onlyModel(client, url, retried, signal));
  const identified = await retried(() => identify(client, model, { blind: set.blind, signal }));
  const ranking = await retried(() => rankingOf(client, model, signal));
  const { fingerprint } = identified;
  const folder = joinInside(
    joinInside(input.output, `${fileName(url)}-${fileName(model)}-${fingerprint.slice(0, 12)}`),
    set.name,
  );
  const questions = await readEvaluationSet(set, join(folder, 'images'));
  const asked = askQuestions(set, questions);
  const directory = join(folder, 'answers');
  const done = await runStepOnce({
    directory,
    step: 'evaluate-endpoint',
    inputs: {
      version: askedVersion,
      url,
      model,
      fingerprint,
      ranking,
      exif: input.exif,
      asked: hashAsked(asked),
      questions: await hashQuestions(set),
    },
    work: async () => {
      await askAndCompare(input, { client, model, url, ranking, asked, directory, identified, folder });
      return { outputs: [answersFile, fingerprintFile], metrics: { questions: asked.length } };
    },
  });
  const losses = await readJsonLines(join(directory, answersFile), evaluationAnswerSchema);
  const isRanked = asked.some(({ answers }) => answers.length > 0);
  const { ask } = benchmarkOf(set.benchmark);
  const ranked = () => rankAnswers(questions, losses, (question) => ask(question, set.answerMode).answers.length);
  const { scores } = await writeScores({
    set,
    questions,
    losses,
    folder,
    answeredBy: { endpoint: { url, model, fingerprint }, ...(isRanked && { ranking }) },
    bootstrap: input.bootstrap,
    judged: await input.judge?.(ranked(), folder),
  });
  if (done.skipped) input.onProgress({ step: asked.length, steps: asked.length });
  return { scores, folder };
}

async function askAndCompare(
  input: EvaluateEndpointInput,
  at: {
    client: OpenAI;
    model: string;
    url: string;
    ranking: Ranking;
    asked: readonly EvaluationQuestion[];
    directory: string;
    folder: string;
    identified: Identified;
  },
): Promise<void> {
  const { client, model, ranking, asked, directory, identified } = at;
  const { exif, concurrency, limits, onProgress, signal, set } = input;
  const calls = join(directory, callsFolder);
  const answers = await askEndpoint({
    ...{ client, model, ranking, exif, concurrency, limits, onProgress, signal },
    questions: asked,
    folder: calls,
    account: (summary) => appendToLedger(input.output, spentOn(summary, at)),
  });
  const after = await askWithRetries(() => identify(client, model, { blind: set.blind, signal }), { attempts, signal });
  if (after.fingerprint !== identified.fingerprint) {
    // Which answers are whose is not known: none is used.
    await rm(calls, { recursive: true, force: true });
    throw changed(at.url, model, identified, after);
  }
  await writeJsonLines(join(directory, answersFile), answers);
  await writeJson(join(directory, fingerprintFile), identified);
}

/** What the answers took, in tokens: what an endpoint costs is not known here. */
function spentOn(calls: CallSummary, { folder, model }: { folder: string; model: string }) {
  return {
    kind: 'spend' as const,
    at: new Date().toISOString(),
    source: folder,
    model,
    calls: calls.calls,
    failedCalls: calls.failedCalls,
    lostCalls: calls.unsettled.length,
    ...tokensOf(calls),
    cost: 0,
  };
}

function changed(url: string, model: string, before: Identified, after: Identified): InputError {
  const place = before.answers.findIndex((answer, index) => answer !== after.answers[index]);
  const [was, is] = [before, after].map(({ answers }) => JSON.stringify((answers[place] ?? '').slice(0, 60)));
  return new InputError({
    file: url,
    field: model,
    problem: `answers otherwise than when the evaluation started: ${was} then, ${is} now`,
    remedy: 'Start again once the same model answers throughout; a server that answers alike one request at a time',
  });
}

async function onlyModel(
  client: OpenAI,
  url: string,
  retried: <R>(ask: () => Promise<R>) => Promise<R>,
  signal: AbortSignal,
): Promise<string> {
  const models = await retried(() => listModels(client, signal));
  const [only] = models;
  if (only !== undefined && models.length === 1) return only;
  throw new InputError({
    file: 'command line',
    field: '--model-name',
    problem:
      models.length === 0 ? `is missing, and ${url} lists no model` : `is missing, and ${url} has several models`,
    remedy: models.length === 0 ? 'Give it' : `Give one of ${models.slice(0, 20).join(', ')}`,
  });
}

function fileName(text: string): string {
  return text.replace(/[^A-Za-z0-9._]+/g, '-').replace(/^[-.]+|-+$/g, '') || 'model';
}
