/**
 * MLflow, by its REST protocol 2.0 (https://mlflow.org/docs/latest/rest-api.html): the loop is a run, each round a nested run.
 */
import { z } from 'zod';
import { hashValue } from '../core/hash.ts';
import { type TrackedRound, type Tracker, TrackerError, type TrackerIds, type TrackerPlace } from './tracker.ts';

/** What the server takes in one request. */
const most = { metrics: 1000, params: 100, tags: 100 };
const longestParam = 6000;
const longestTag = 5000;
/** A server's error in a message. */
const longestWords = 300;
const runTag = 'dataengine.run';
const roundTag = 'dataengine.round';
const mostBytes = 1_000_000;
const timeoutMilliseconds = 30_000;

interface Metric {
  key: string;
  value: number;
  timestamp: number;
  step: number;
}
interface Pair {
  key: string;
  value: string;
}
interface Batch {
  metrics?: Metric[];
  params?: Pair[];
  tags?: Pair[];
}

type Call = <S extends z.ZodType>(path: string, body: object, answer: S) => Promise<z.output<S>>;

export const mlflow: Tracker = {
  isServer: true,
  async send(run, rounds, ids, place) {
    const call = caller(place);
    const experiment = await experimentOf(call, place.project);
    const known: TrackerIds = { ...ids };
    if (known.run === undefined) {
      const { name, startedAt } = run;
      const loop = await runWith(call, experiment, { name, startedAt, tags: { [runTag]: run.id, [roundTag]: 'all' } });
      known.run = loop.id;
      // Params can't be changed, so they are those of the run's start.
      const params = pairs(run.settings, longestParam).filter(({ key }) => !loop.params.has(key));
      await log(call, known.run, { params });
    }
    await log(call, known.run, { tags: pairs(referenceTags(run.references), longestTag) });
    for (const round of rounds) {
      const name = `round-${round.round}`;
      if (known[name] === undefined) {
        const tags = { 'mlflow.parentRunId': known.run, [runTag]: run.id, [roundTag]: String(round.round) };
        const named = { name: `${run.name} round ${round.round}`, startedAt: round.startedAt, tags };
        known[name] = (await runWith(call, experiment, named)).id;
      }
      await logRound(call, known[name], round);
      // Scores by round, for the curve of the loop.
      await log(call, known.run, { metrics: roundMetrics(round, round.round) });
    }
    const finishedAt = run.rounds.at(-1)?.finishedAt;
    if (finishedAt !== undefined) await endRun(call, known.run, finishedAt);
    return known;
  },
};

async function logRound(call: Call, id: string, round: TrackedRound): Promise<void> {
  const at = Date.parse(round.finishedAt);
  const curve = (key: string, losses: TrackedRound['losses']) =>
    losses.map(({ step, loss }): Metric => ({ key, value: loss, step, timestamp: at }));
  await log(call, id, {
    metrics: [
      ...curve('loss', round.losses),
      ...curve('validation_loss', round.validationLosses),
      ...roundMetrics(round, 0),
    ],
    tags: pairs({ ...referenceTags(round.references), ...round.facts }, longestTag),
  });
  const { dataset } = round;
  if (dataset !== undefined) {
    const digest = dataset.version.slice(0, 36);
    const source = { source_type: 'local', source: JSON.stringify({ uri: dataset.reference }) };
    const profile = JSON.stringify({ num_rows: dataset.samples, parents: dataset.parents });
    const input = { dataset: { name: 'generated', digest, ...source, profile }, tags: [] };
    await call('runs/log-inputs', { run_id: id, datasets: [input] }, z.unknown());
    await log(call, id, { tags: [{ key: 'dataengine.dataset', value: dataset.version }] });
  }
  await endRun(call, id, round.finishedAt);
}

function roundMetrics({ scores, figures, finishedAt }: TrackedRound, step: number): Metric[] {
  const timestamp = Date.parse(finishedAt);
  const all = Object.entries(scores).flatMap(([name, { value, low, high }]): [string, number][] => [
    [name, value],
    [`${name}.low`, low],
    [`${name}.high`, high],
  ]);
  return [...all, ...Object.entries(figures)]
    .filter(([, value]) => Number.isFinite(value))
    .map(([key, value]) => ({ key: nameOf(key), value, timestamp, step }));
}

async function experimentOf(call: Call, name: string): Promise<string> {
  const found = z.object({
    experiments: z.array(z.object({ experiment_id: z.string(), name: z.string() })).default([]),
  });
  const filter = `name = '${name}'`;
  const { experiments } = await call('experiments/search', { max_results: 1, filter }, found);
  const [experiment] = experiments;
  if (experiment !== undefined) return experiment.experiment_id;
  return (await call('experiments/create', { name }, z.object({ experiment_id: z.string() }))).experiment_id;
}

interface NamedRun {
  name: string;
  startedAt: string;
  tags: { [runTag]: string; [roundTag]: string };
}

/** The run with these tags: one whose id was not written down before its sender ended, or a new one. */
async function runWith(
  call: Call,
  experiment: string,
  named: NamedRun,
): Promise<{ id: string; params: ReadonlySet<string> }> {
  const info = z.object({ run_id: z.string() });
  const data = z.object({ params: z.array(z.object({ key: z.string() })).default([]) });
  const found = z.object({ runs: z.array(z.object({ info, data: data.default({ params: [] }) })).default([]) });
  const filter = ([runTag, roundTag] as const).map((tag) => `tags."${tag}" = '${named.tags[tag]}'`).join(' and ');
  const { runs } = await call('runs/search', { experiment_ids: [experiment], filter, max_results: 1 }, found);
  const [run] = runs;
  if (run === undefined) return { id: await createRun(call, experiment, named), params: new Set() };
  return { id: run.info.run_id, params: new Set(run.data.params.map(({ key }) => key)) };
}

async function createRun(call: Call, experiment: string, { name, startedAt, tags }: NamedRun): Promise<string> {
  const body = {
    experiment_id: experiment,
    run_name: name,
    start_time: Date.parse(startedAt),
    tags: pairs({ 'mlflow.runName': name, 'mlflow.source.name': 'dataengine', ...tags }, longestTag),
  };
  const answer = z.object({ run: z.object({ info: z.object({ run_id: z.string() }) }) });
  return (await call('runs/create', body, answer)).run.info.run_id;
}

function endRun(call: Call, run_id: string, at: string): Promise<unknown> {
  return call('runs/update', { run_id, status: 'FINISHED', end_time: Date.parse(at) }, z.unknown());
}

/** In as many requests as the server's limits take. */
async function log(call: Call, run_id: string, { metrics = [], params = [], tags = [] }: Batch): Promise<void> {
  const parts: Batch[] = [
    ...slices(metrics, most.metrics).map((some) => ({ metrics: some })),
    ...slices(params, most.params).map((some) => ({ params: some })),
    ...slices(tags, most.tags).map((some) => ({ tags: some })),
  ];
  for (const part of parts) await call('runs/log-batch', { run_id, ...part }, z.unknown());
}

function slices<T>(all: readonly T[], count: number): T[][] {
  return Array.from({ length: Math.ceil(all.length / count) }, (_, index) =>
    all.slice(index * count, (index + 1) * count),
  );
}

function referenceTags(references: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(references).map(([name, value]) => [`dataengine.artifact.${name}`, value]));
}

function pairs(values: Record<string, string | number | boolean>, longest: number): Pair[] {
  return Object.entries(values).map(([key, value]) => ({ key: nameOf(key), value: String(value).slice(0, longest) }));
}

/** Names have letters, digits and a few marks; another mark would make the server refuse the whole batch. */
function nameOf(key: string): string {
  const name = key.replace(/[^\w. /-]/g, '_');
  return name.length <= 250 ? name : `${name.slice(0, 200)}-${hashValue(name).slice(0, 16)}`;
}

function caller({ baseUrl = '', key, signal }: TrackerPlace): Call {
  const authorization =
    key === undefined
      ? undefined
      : key.includes(':')
        ? `Basic ${Buffer.from(key).toString('base64')}`
        : `Bearer ${key}`;
  return async (path, body, answer) => {
    const url = `${baseUrl.replace(/\/+$/, '')}/api/2.0/mlflow/${path}`;
    const response = await fetch(url, {
      method: 'POST',
      // The key is for this address alone.
      redirect: 'manual',
      headers: { 'content-type': 'application/json', ...(authorization && { authorization }) },
      body: JSON.stringify(body),
      signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMilliseconds)]),
    }).catch((cause: unknown) => {
      signal.throwIfAborted();
      throw new TrackerError(`MLflow at ${baseUrl} can't be reached (${codeOf(cause)})`);
    });
    const text = await startOf(response);
    if (!response.ok) {
      throw new TrackerError(
        `MLflow at ${baseUrl} answered ${response.status} to ${path}: ${text.slice(0, longestWords)}`,
      );
    }
    const parsed = answer.safeParse(parseOr(text));
    if (!parsed.success) throw new TrackerError(`${baseUrl} answered ${path} as no MLflow server does`);
    return parsed.data;
  };
}

/** No answer of the protocol is long. */
async function startOf(response: Response): Promise<string> {
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const part of response.body ?? []) {
    parts.push(part);
    length += part.length;
    if (length > mostBytes) break;
  }
  return Buffer.concat(parts).toString('utf8', 0, mostBytes);
}

function parseOr(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function codeOf(error: unknown): string {
  if (error instanceof Error && error.name === 'TimeoutError') return 'no answer in time';
  const cause = error instanceof Error ? (error.cause as { code?: unknown } | undefined) : undefined;
  return typeof cause?.code === 'string' ? cause.code : 'connection failed';
}
