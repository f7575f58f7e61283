/**
 * Weights & Biases, by the files of its offline mode: `wandb sync` uploads them with the key of whoever calls it. The loop is a
 * run, and each round one of the same group.
 */
import { joinInside } from '../core/inside.ts';
import { writeFileAtomically } from '../core/write-file.ts';
import type { TrackedRound, TrackedRun, Tracker, TrackerIds } from './tracker.ts';
import { type Field, logFile, message } from './wandb-file.ts';

/** The fields of a record, and of the messages in it, by their numbers in wandb_internal.proto. */
const record = { num: 1, history: 2, summary: 3, config: 4, run: 17, exit: 18, header: 21 } as const;
const runField = { id: 1, project: 3, config: 4, group: 6, jobType: 7, displayName: 8, startTime: 17 } as const;
const item = { key: 1, json: 16 } as const;
/** The oldest reader that knows these records. */
const minimumConsumer = '0.10.30';
const producer = '0.19.11';

export const wandb: Tracker = {
  isServer: false,
  async send(run, rounds, ids, { folder, project }) {
    const own = ids.run ?? run.id;
    const known: TrackerIds = { ...ids, run: own };
    const write = async (id: string, startedAt: string, records: Uint8Array[]) => {
      // `wandb sync` finds the id by the folder's name.
      const name = `offline-run-${startedAt.slice(0, 19).replace(/[-:]/g, '').replace('T', '_')}-${id}`;
      await writeFileAtomically(joinInside(folder, `${name}/run-${id}.wandb`), logFile(numbered(records)));
    };
    await write(own, run.startedAt, loopRecords({ ...run, id: own }, project));
    for (const round of rounds) {
      const id = `${own}r${round.round}`;
      await write(id, round.startedAt, roundRecords(run, round, id, project));
      known[`round-${round.round}`] = id;
    }
    return known;
  },
};

function loopRecords(run: TrackedRun, project: string): Uint8Array[] {
  const { id, name, startedAt, settings, references, rounds } = run;
  const config = { ...settings, ...prefixed('artifact', references) };
  return [
    runRecord({ id, project, group: name, jobType: 'loop', displayName: name, startedAt, config }),
    // By its own number, and not by how many were written before.
    ...rounds.map((round) => historyRecord(round.round, { round: round.round, ...scoresOf(round), ...round.figures })),
    summaryRecord({ ...scoresOf(rounds.at(-1)), ...rounds.at(-1)?.figures }),
    exitRecord(startedAt, rounds.at(-1)?.finishedAt ?? startedAt),
  ];
}

function roundRecords(run: TrackedRun, round: TrackedRound, id: string, project: string): Uint8Array[] {
  const { dataset, startedAt, finishedAt } = round;
  const config = {
    round: round.round,
    ...round.facts,
    ...(dataset && prefixed('dataset', { version: dataset.version, samples: dataset.samples, uri: dataset.reference })),
    ...prefixed('artifact', round.references),
  };
  const displayName = `${run.name} round ${round.round}`;
  const validation = new Map(round.validationLosses.map(({ step, loss }) => [step, loss]));
  return [
    runRecord({ id, project, group: run.name, jobType: 'round', displayName, startedAt, config }),
    ...round.losses.map(({ step, loss }) => {
      const validationLoss = validation.get(step);
      return historyRecord(step, { loss, ...(validationLoss !== undefined && { validation_loss: validationLoss }) });
    }),
    summaryRecord({ loss: round.losses.at(-1)?.loss, ...scoresOf(round), ...round.figures }),
    exitRecord(startedAt, finishedAt),
  ];
}

function scoresOf(round: TrackedRound | undefined): Record<string, number> {
  return Object.fromEntries(
    Object.entries(round?.scores ?? {}).flatMap(([name, { value, low, high }]) => [
      [name, value],
      [`${name}.low`, low],
      [`${name}.high`, high],
    ]),
  );
}

function prefixed<V>(prefix: string, values: Record<string, V>): Record<string, V> {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [`${prefix}.${name}`, value]));
}

function runRecord(run: {
  id: string;
  project: string;
  group: string;
  jobType: string;
  displayName: string;
  startedAt: string;
  config: Record<string, unknown>;
}): Uint8Array {
  // `{"value": …}`, as the library writes each setting.
  const config = message(items(run.config, (value) => ({ desc: null, value })));
  const at = message([[1, Math.floor(Date.parse(run.startedAt) / 1000)]]);
  return message([
    [
      record.run,
      message([
        [runField.id, run.id],
        [runField.project, run.project],
        [runField.config, config],
        [runField.group, run.group],
        [runField.jobType, run.jobType],
        [runField.displayName, run.displayName],
        [runField.startTime, at],
      ]),
    ],
  ]);
}

function historyRecord(step: number, values: Record<string, unknown>): Uint8Array {
  const fields = [...items({ ...values, _step: step }), [2, message([[1, step]])] as const];
  return message([[record.history, message(fields)]]);
}

function summaryRecord(values: Record<string, unknown>): Uint8Array {
  return message([[record.summary, message(items(values))]]);
}

function exitRecord(from: string, to: string): Uint8Array {
  const seconds = Math.max(0, Math.round((Date.parse(to) - Date.parse(from)) / 1000));
  return message([[record.exit, message([[2, seconds]])]]);
}

/** The items of a config, a history or a summary: field 1 of each of these messages. */
function items(values: Record<string, unknown>, shape: (value: unknown) => unknown = (value) => value): Field[] {
  return Object.entries(values)
    .filter(([, value]) => value !== undefined && !(typeof value === 'number' && !Number.isFinite(value)))
    .map(([key, value]) => [
      1,
      message([
        [item.key, key],
        [item.json, JSON.stringify(shape(value))],
      ]),
    ]);
}

/** Each record has its number, from 1 on; the first one says who wrote the file. */
function numbered(records: readonly Uint8Array[]): Uint8Array[] {
  const version = message([
    [1, producer],
    [2, minimumConsumer],
  ]);
  const header = message([[record.header, message([[1, version]])]]);
  return [header, ...records].map((one, index) => Buffer.concat([message([[record.num, index + 1]]), one]));
}
