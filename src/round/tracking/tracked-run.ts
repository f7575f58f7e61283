/** What a tracker is told of a run: the figures of the report, with the times and places of what was made. */
import { basename } from 'node:path';
import { mapPaths } from '../../config/config-paths.ts';
import { configSchema } from '../../config/schema.ts';
import { hashValue } from '../../core/hash.ts';
import { type Manifest, readManifest } from '../../core/manifest.ts';
import { roundDirectory } from '../../core/run-directory.ts';
import { versionHistory, versionsFolder } from '../../datasets/versions.ts';
import type { ReportRound } from '../../report/report-input.ts';
import type { TrackedRound, TrackedRun } from '../../tracking/tracker.ts';
import { readLosses } from '../finetune/results.ts';
import { finishedStep, manifestIn } from '../finished-step.ts';
import { type CostOfRound, readCosts } from '../report/read-costs.ts';
import { readReportRound } from '../report/read-round.ts';
import type { StepContext } from '../step-context.ts';
import { directoryOf, stepDirectory } from '../step-directory.ts';
import { roundSteps } from '../steps.ts';

/** All rounds that have been classified, as the report has them. */
export async function trackedRun(context: StepContext): Promise<TrackedRun> {
  const { config, run } = context;
  const costOf = await readCosts(context);
  const rounds: TrackedRound[] = [];
  for (let round = 0; (await manifestIn(run, stepDirectory(run, round, 'classify'))) !== undefined; round += 1) {
    rounds.push(await trackedRound(context, round, costOf));
  }
  const place = run.stored?.uri ?? run.root;
  const startedAt = rounds[0]?.startedAt ?? new Date(0).toISOString();
  return {
    name: config.run ?? basename(run.root),
    // A run that is begun anew in the same folder, or in one of that name on another machine, is another run.
    id: hashValue([place, startedAt]).slice(0, 12),
    startedAt,
    settings: settingsOf(config),
    references: { run: place, report: `${place}/report.html` },
    rounds,
  };
}

async function trackedRound(context: StepContext, round: number, costOf: CostOfRound): Promise<TrackedRound> {
  const { run } = context;
  const found = await readReportRound(context, round, costOf);
  const { directory } = await finishedStep(run, round, 'finetune');
  const place = run.stored === undefined ? roundDirectory(run, round) : `${run.stored.uri}/round-${round}`;
  const manifests = await manifestsOf(context, round);
  const times = (of: (manifest: Manifest) => string) => manifests.map(of).sort();
  return {
    round,
    startedAt: times(({ startedAt }) => startedAt)[0] ?? '',
    finishedAt: times(({ finishedAt }) => finishedAt).at(-1) ?? '',
    losses: (await readLosses(directory)).map(({ step, loss }) => ({ step, loss })),
    validationLosses: found.validationLosses ?? [],
    scores: scoresOf(found),
    figures: figuresOf(found),
    facts: factsOf(found),
    dataset: await datasetOf(context, round),
    references: {
      adapter: `${place}/finetune`,
      model: `${place}/merged`,
      scores: `${place}/evaluate`,
      ...(round > 0 && { data: `${place}/DataEngine_round${round}_data.json` }),
    },
  };
}

async function manifestsOf({ run }: StepContext, round: number): Promise<Manifest[]> {
  const found = roundSteps.map((step) => readManifest(directoryOf(run, round, step) as string));
  return (await Promise.all(found)).filter((manifest) => manifest !== undefined);
}

function scoresOf({ benchmarks }: ReportRound): TrackedRound['scores'] {
  const named = benchmarks.map(({ set, measure, value, low, high }) => [`${set}.${measure}`, { value, low, high }]);
  return Object.fromEntries(named);
}

function figuresOf(round: ReportRound): Record<string, number> {
  const { samplesAdded, rejectedByReason, teacherTokens, secondsByStep, cost, validation, gate } = round;
  const sum = (values: Record<string, number>) => Object.values(values).reduce((total, value) => total + value, 0);
  const errors = Object.entries(validation.errorByType).map(([type, share]) => [`errors.${type}`, share]);
  return {
    samplesAdded,
    samplesRejected: sum(rejectedByReason),
    teacherTokens,
    seconds: sum(secondsByStep),
    ...(cost && { cost: cost.amount }),
    ...(gate && { accepted: gate.accepted ? 1 : 0 }),
    ...Object.fromEntries(errors),
  };
}

function factsOf({ gate, pruned, cost }: ReportRound): Record<string, string> {
  return {
    ...(gate && { decision: `${gate.accepted ? 'accepted' : 'set aside'} (${gate.by}): ${gate.reason}` }),
    ...(gate?.comment && { comment: gate.comment }),
    ...(cost && { currency: cost.currency }),
    ...(pruned && { pruned }),
  };
}

async function datasetOf({ run }: StepContext, round: number): Promise<TrackedRound['dataset']> {
  const entry = (await versionHistory(run.root)).find(({ version, current }) => current && version.round === round);
  if (entry === undefined) return undefined;
  const { id, parents, files } = entry.version;
  const samples = files.reduce((total, file) => total + file.samples, 0);
  const place = run.stored?.uri ?? run.root;
  return { version: id, parents, samples, reference: `${place}/${versionsFolder}/${id}.json` };
}

/** Texts, numbers and switches of the config, by their keys; of this machine's paths the last name. */
function settingsOf(config: StepContext['config']): TrackedRun['settings'] {
  const settings: TrackedRun['settings'] = {};
  const walk = (value: unknown, key: string) => {
    if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') settings[key] = value;
    else if (Array.isArray(value))
      settings[key] = value.map((one) => (isPlain(one) ? String(one) : JSON.stringify(one))).join(', ');
    else if (typeof value === 'object' && value !== null) {
      for (const [name, inner] of Object.entries(value)) walk(inner, key === '' ? name : `${key}.${name}`);
    }
  };
  const named = mapPaths(configSchema, config, ({ kind, path }) => (kind === 'the data root' ? path : basename(path)));
  const { tracking: _, notify: __, ...shown } = named;
  walk(shown, '');
  return settings;
}

function isPlain(value: unknown): boolean {
  return typeof value !== 'object' || value === null;
}
