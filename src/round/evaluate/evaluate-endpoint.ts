/**
 * Scores what answers at an endpoint on one benchmark, outside of a run.
 */
import { join } from 'node:path';
import type { Access } from '../../core/access.ts';
import type { ExifMode } from '../../core/images/image-kind.ts';
import { joinInside } from '../../core/inside.ts';
import { runStepOnce } from '../../core/manifest.ts';
import { readJsonLines } from '../../core/read-json.ts';
import { writeJson, writeJsonLines } from '../../core/write-file.ts';
import type { AnsweredQuestion } from '../../evaluation/benchmarks/benchmark.ts';
import { benchmarkOf } from '../../evaluation/benchmarks/index.ts';
import { type Endpoint, endpointClient, endpointUrl } from '../../evaluation/endpoint/client.ts';
import type { Scores } from '../../evaluation/evaluation-files.ts';
import type { JudgedSet } from '../../evaluation/judge/judge-figures.ts';
import { rankAnswers } from '../../evaluation/rank-answers.ts';
import type { BootstrapSettings } from '../../evaluation/statistics/bootstrap.ts';
import type { CallSummary } from '../../teacher/call-log.ts';
import { appendToLedger } from '../../teacher/ledger.ts';
import type { Rate } from '../../teacher/pacer.ts';
import { tokensOf } from '../../teacher/teacher-chunk.ts';
import { type EvaluationQuestion, evaluationAnswerSchema } from '../../trainer/job-files.ts';
import type { Progress } from '../../trainer/protocol.ts';
import {
  askQuestions,
  checkEvaluationSet,
  type EvaluationSet,
  hashAsked,
  hashQuestions,
  readEvaluationSet,
} from '../evaluation-sets.ts';
import { writeScores } from '../score-questions.ts';
import { type Asked, askSameModel, identifyEndpoint } from './ask-same-model.ts';

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
  await checkEvaluationSet(set);
  const endpoint = await identifyEndpoint(client, { url, model: input.endpoint.model, blind: set.blind, signal });
  const { model, ranking } = endpoint;
  const { fingerprint } = endpoint.identified;
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
      await askAndKeep(input, { ...endpoint, url, asked, directory, folder });
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

async function askAndKeep(
  input: EvaluateEndpointInput,
  at: Asked & { url: string; asked: readonly EvaluationQuestion[]; directory: string; folder: string },
): Promise<void> {
  const { exif, concurrency, limits, onProgress, signal, set } = input;
  const { directory, asked, url } = at;
  const answers = await askSameModel({
    ...at,
    ...{ url, exif, concurrency, limits, onProgress, signal, blind: set.blind },
    questions: asked,
    folder: join(directory, callsFolder),
    account: (summary) => appendToLedger(input.output, spentOn(summary, at)),
  });
  await writeJsonLines(join(directory, answersFile), answers);
  await writeJson(join(directory, fingerprintFile), at.identified);
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

function fileName(text: string): string {
  return text.replace(/[^A-Za-z0-9._]+/g, '-').replace(/^[-.]+|-+$/g, '') || 'model';
}
