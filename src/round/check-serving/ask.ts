/** The ways in which a round's model is run: unmerged as it was trained, merged as it is scored, and as it is served. */
import { join } from 'node:path';
import { evaluationNumberFormats } from '../../config/evaluate-schema.ts';
import { maximumImagePixels, portableImage } from '../../core/images/open-image.ts';
import { readJsonLines } from '../../core/read-json.ts';
import { writeJsonLines } from '../../core/write-file.ts';
import { serveChat } from '../../serving/chat-server.ts';
import type { Engine } from '../../serving/engine.ts';
import { askEngine, type GateQuestion } from '../../serving/gate/ask-engine.ts';
import type { GateAnswer } from '../../serving/gate/compare-answers.ts';
import { type EngineSettings, startEngine } from '../../serving/start-engine.ts';
import { type EvaluationQuestion, evaluationAnswerSchema } from '../../trainer/job-files.ts';
import { imageFields } from '../../trainer/supervisor/image-fields.ts';
import { killPreviousServer, withServer } from '../../trainer/supervisor/run-server.ts';
import { runJob } from '../../trainer/supervisor/trainer-step.ts';
import { requireServeCommand } from '../serve.ts';
import type { StepContext } from '../step-context.ts';
import { askServer } from './ask-server.ts';

export interface Asking {
  context: StepContext;
  /** The step's own folder. */
  directory: string;
  /** Directories of the round's adapter and of its merged model. */
  adapter: string;
  merged: string;
  questions: readonly EvaluationQuestion[];
}

const questionsFile = 'questions.jsonl';
const rankingFile = 'merged-ranking.jsonl';
const graceMilliseconds = 5000;
/** An image of the most pixels that are opened, as a PNG in base64, as far as Node has so long a text. */
const mostBodyBytes = 500 * 2 ** 20;

export async function askBaseAndAdapter(asking: Asking): Promise<GateAnswer[]> {
  const { model } = asking.context.config;
  const adapters = { adapter: asking.adapter };
  // merged/ has them in its files.
  const image = model.image && (await imageFields(model.path, model.image));
  return withEngine(asking, { model: model.path, name: 'base', adapters, image }, (engine) =>
    ask(engine, 'adapter', 'base + adapter', asking),
  );
}

/** By the trainer, as the step `evaluate` ranks choices and has answers written. */
export async function askMerged({ context, directory, merged, questions }: Asking): Promise<GateAnswer[]> {
  const { config } = context;
  const file = join(directory, questionsFile);
  const output = join(directory, rankingFile);
  await writeJsonLines(file, questions);
  await runJob(context, directory, {
    kind: 'evaluate',
    model: merged,
    exif: config.data.exif,
    questions: file,
    batchSize: config.evaluate.batchSize,
    ...evaluationNumberFormats(config),
    output,
  });
  const answers = await readJsonLines(output, evaluationAnswerSchema);
  const byId = new Map(answers.map((answer) => [answer.question_id, answer]));
  return questions.map(({ question_id: id }) => {
    const answer = byId.get(id);
    if (answer === undefined) throw new Error(`the trainer has no answer to ${id}`);
    return { id, losses: answer.losses, text: answer.text ?? '' };
  });
}

/** By the server that the config names, else by our own; over HTTP. */
export async function askServed(asking: Asking): Promise<GateAnswer[]> {
  const { context, directory, merged, questions } = asking;
  const { evaluate, data } = context.config;
  const settings = { exif: data.exif, onProgress: context.onProgress };
  if (evaluate.serve === undefined) {
    return withOwnServer(asking, (url) => askServer(questions, { ...settings, url, signal: context.signal }));
  }
  const command = await requireServeCommand(context, { name: evaluate.serve, field: 'evaluate.serve' });
  await killPreviousServer(directory);
  return withServer({ ...command, model: merged, directory, signal: context.signal }, (server) =>
    askServer(questions, { ...settings, ...server, serve: evaluate.serve }),
  );
}

async function withOwnServer<R>(asking: Asking, work: (url: string) => Promise<R>): Promise<R> {
  return withEngine(asking, { model: asking.merged, name: 'merged' }, async (engine) => {
    const failures: unknown[] = [];
    const server = await serveChat(engine, {
      host: '127.0.0.1',
      port: 0,
      mostAnswers: 64,
      bodyBytes: mostBodyBytes,
      imagePixels: maximumImagePixels,
      defaultMaxTokens: 1,
      report: (error) => failures.push(error),
    });
    try {
      return await work(`${server.address}v1`);
    } catch (error: unknown) {
      asking.context.signal.throwIfAborted();
      // What the server does not tell its clients says more.
      throw failures[0] ?? error;
    } finally {
      await server.close(graceMilliseconds);
    }
  });
}

async function ask(engine: Engine, model: string, phase: string, asking: Asking): Promise<GateAnswer[]> {
  const { context, questions } = asking;
  return askEngine(withImages(asking), {
    engine,
    model,
    maximumTokens: questions[0]?.generate?.maximumNewTokens ?? 1,
    signal: context.signal,
    onAnswer: (step) => context.onProgress({ phase, step, steps: questions.length }),
  });
}

/** The questions with images that any program opens to the pixels that the trainer sees. */
function withImages({ context, questions }: Asking): GateQuestion[] {
  const { exif } = context.config.data;
  return questions.map(({ question_id, question, image, answers }) => ({
    id: question_id,
    question,
    image: image === undefined ? undefined : async () => (await portableImage(image, { exif })).content,
    choices: answers,
  }));
}

async function withEngine<R>(
  { context, directory }: Asking,
  settings: EngineSettings,
  work: (engine: Engine) => Promise<R>,
): Promise<R> {
  const { config, signal } = context;
  const { tokenBoundaries } = config.model;
  const formats = evaluationNumberFormats(config);
  const engine = await startEngine({ ...settings, ...formats, tokenBoundaries, directory }, signal);
  try {
    return await work(engine);
  } finally {
    await engine.close();
  }
}
