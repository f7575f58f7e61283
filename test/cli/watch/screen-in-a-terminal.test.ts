/** The live screen of `watch`, in a real pseudo-terminal, against a real server. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { fakeActivities } from '../../../bench/support/fake-activities.ts';
import { projectFile } from '../../../src/core/files.ts';
import { inTerminal } from '../../helpers/pseudo-terminal.ts';
import { createWorker, startEnvironment, type WorkflowTestEnvironment } from '../../workflows/environment.ts';
import { planOn } from '../../workflows/histories/scenarios.ts';

let environment: WorkflowTestEnvironment;

beforeAll(async () => {
  environment = await startEnvironment();
}, 300_000);

afterAll(() => environment?.temporal.teardown());

const note =
  'The gate can reject a round only for a drop of at least 12.5 points, or for a question type that got worse.';

/** A run of two rounds with long notes, watched until it ends by the command itself. */
async function watchedAt(columns: number) {
  const queue = `screen-${columns}`;
  const { temporal } = environment;
  const plan = planOn(queue, { rounds: 1, checksServing: true });
  const activities = {
    ...fakeActivities(plan, []),
    prepareData: async () => ({ seconds: 1.5, reused: false, questions: 40, images: 40, notes: [note] }),
    checkServing: async () => ({
      ...{ seconds: 754, reused: false, questions: 24, nearTies: 2, largestLossDifference: 1.2e-5 },
    }),
  };
  const worker = await createWorker(environment, queue, activities);
  return worker.runUntil(async () => {
    await temporal.client.workflow.start('dataEngine', {
      taskQueue: queue,
      workflowId: queue,
      args: [{ config: 'tiny.yaml' }],
    });
    const command = [process.execPath, projectFile('bin/dataengine.mjs'), 'watch', queue];
    return inTerminal(columns, command, { TEMPORAL_ADDRESS: temporal.address });
  });
}

/** The columns in which the notes of the steps' lines begin, and those of the lines that continue a note. */
function noteColumns(lines: readonly string[]): number[] {
  return lines.flatMap((line) => {
    const ofStep = /^ {2}✓ \S+ +(?:\d+ min )?\d+ s {2}(?=\S)/.exec(line) ?? /^ {20,}(?=\S)/.exec(line);
    return ofStep === null ? [] : [ofStep[0].length];
  });
}

test.each([80, 120])(
  'at %i columns no line is broken by the terminal, and all notes begin in one column',
  async (columns) => {
    const { code, lines, broken } = await watchedAt(columns);
    expect(code).toBe(0);
    expect(broken).toEqual([]);
    expect(new Set(noteColumns(lines))).toEqual(new Set([31]));
    for (const [step, time] of [
      ['check-serving', '12 min 34 s'],
      ['finetune', '2 s'],
      ['report', '2 s'],
    ] as const) {
      const start = `  ✓ ${step.padEnd(13)} ${time.padStart(11)}`;
      expect(lines.filter((line) => line.startsWith(start)).length, step).toBeGreaterThan(0);
    }
    expect(lines).toContain('Finished: 1 of 1 rounds');
  },
  120_000,
);
