/** Sends the figures of a run's finished rounds to the tracker of its config. */
import { join } from 'node:path';
import { z } from 'zod';
import { type Access, mayReceiveSecret, requireTeacherAccess } from '../../core/access.ts';
import { requireFence } from '../../core/fence.ts';
import { fileExists } from '../../core/files.ts';
import { hashValue } from '../../core/hash.ts';
import { InputError } from '../../core/input-error.ts';
import { readJson } from '../../core/read-json.ts';
import { withLock } from '../../core/with-lock.ts';
import { keepSecret } from '../../core/without-secrets.ts';
import { writeJson } from '../../core/write-file.ts';
import type { Tracker } from '../../tracking/tracker.ts';
import { trackers } from '../../tracking/trackers.ts';
import type { StepContext } from '../step-context.ts';
import { trackerFolder } from '../store-rules.ts';
import { trackedRun } from './tracked-run.ts';

const stateFile = 'tracking.json';
const stateSchema = z.object({
  schemaVersion: z.literal(1),
  /** Of which tracker the ids are. */
  tracker: z.string(),
  ids: z.record(z.string(), z.string()),
  /** Round → hash of what was sent of it. */
  sent: z.record(z.string(), z.string()),
});

export interface TrackOutcome {
  /** The rounds that were sent now. */
  rounds: number[];
  /** Where: the address, or the folder. */
  to: string;
}

/**
 * Sends the rounds that the tracker does not have yet. Undefined where the config names no tracker. On one disk, one process of
 * a run does so at a time.
 *
 * @throws InputError for a key that is missing, or that this worker may not send to that host; TrackerError when the server does
 *   not take it
 */
export async function track(context: StepContext): Promise<TrackOutcome | undefined> {
  const { config, run, signal } = context;
  const { tracking } = config;
  if (tracking === undefined) return undefined;
  return withLock(join(run.root, '.tracking.lock'), () => sendRounds(context, tracking), { signal });
}

async function sendRounds(
  context: StepContext,
  tracking: NonNullable<StepContext['config']['tracking']>,
): Promise<TrackOutcome> {
  const { run, signal, access } = context;
  const { to, baseUrl, project, apiKeyVariable } = tracking;
  const tracker: Tracker = trackers[to];
  const folder = join(run.root, trackerFolder);
  const key = tracker.isServer ? keyFor(baseUrl ?? '', apiKeyVariable, access) : undefined;
  const tracked = await trackedRun(context);
  const name = [to, baseUrl ?? '', project].join(' ');
  const state = await readTrackingState(run.root, name);
  const hashes = new Map(tracked.rounds.map((round) => [round.round, hashValue(round)]));
  const rounds = tracked.rounds.filter(({ round }) => state.sent[round] !== hashes.get(round));
  const where = tracker.isServer ? (baseUrl ?? '') : folder;
  if (rounds.length === 0) return { rounds: [], to: where };
  await requireFence();
  const ids = await tracker.send(tracked, rounds, state.ids, { baseUrl, project, folder, key, signal });
  const sent = Object.fromEntries(hashes);
  await writeJson(join(run.root, stateFile), { schemaVersion: 1, tracker: name, ids, sent });
  return { rounds: rounds.map(({ round }) => round), to: where };
}

/** Another tracker, or another server, has nothing yet. */
export async function readTrackingState(
  root: string,
  tracker: string,
): Promise<Pick<z.output<typeof stateSchema>, 'ids' | 'sent'>> {
  const file = join(root, stateFile);
  const state = (await fileExists(file)) ? await readJson(file, stateSchema) : undefined;
  return state?.tracker === tracker ? state : { ids: {}, sent: {} };
}

/** The key for a server; figures alone go only where a key could go, or to this machine. */
function keyFor(address: string, variable: string | undefined, access: Access): string | undefined {
  const field = 'tracking.baseUrl';
  if (variable === undefined) {
    requireTeacherAccess(access, address, { file: 'config', field }, 'figures');
    return undefined;
  }
  if (!mayReceiveSecret(access, { variable }, address, field)) return undefined;
  const key = process.env[variable];
  if (key) {
    keepSecret(variable, key);
    return key;
  }
  throw new InputError({
    file: 'environment',
    field: variable,
    problem: 'is not set, and tracking.apiKeyVariable names it',
    remedy: 'Set it to the token of the tracking server, or leave the key out of the config',
  });
}
