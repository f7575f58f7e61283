import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { writeGenerationRun } from '../../bench/support/generation-run.ts';
import { type LocalTeacherOptions, startLocalTeacher } from '../../demo/local-teacher/server.ts';
import { generate } from '../../src/round/generate/generate.ts';
import { generationFolder } from '../../src/round/generate/work.ts';
import type { StepContext } from '../../src/round/step-context.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';
import { createWorker, type WorkflowTestEnvironment } from './environment.ts';
import { cpuAndTeacherActivities } from './worker-activities.ts';

/** How many requests a run has, and the `teacher` part of its config. */
export interface GenerationSetup {
  requests: number;
  settings: Record<string, unknown>;
}

/** The joined answers of a run's generation. */
export const resultOf = async (context: StepContext) => readFile((await generationFolder(context)).resultFile, 'utf8');

/** The answers to the same requests when they are asked in one process, with no faults. */
export async function resultLeftAlone({ requests, settings }: GenerationSetup): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'generation-'));
  try {
    const context = await writeGenerationRun(folder, requests, { ...settings, baseUrl: undefined });
    await generate(context);
    return await resultOf(context);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** A run with a teacher, and a worker with the real activities, on a task queue of its own. */
export async function setUpGeneration(
  environment: WorkflowTestEnvironment,
  { requests, settings }: GenerationSetup,
  teacherOptions: LocalTeacherOptions,
) {
  const teacher = await startLocalTeacher({ seed: 7, ...teacherOptions });
  onTestFinished(() => teacher.close());
  const folder = await temporaryFolder();
  const context = await writeGenerationRun(folder, requests, { baseUrl: teacher.baseUrl, ...settings });
  const start = () =>
    environment.temporal.client.workflow.start('dataEngineGeneration', {
      taskQueue: folder,
      workflowId: folder,
      args: [{ runDirectory: context.run.root, round: 1, queues: { cpu: folder, teacher: folder } }],
    });
  const worker = await createWorker(environment, folder, cpuAndTeacherActivities());
  return { teacher, context, workflowId: folder, start, worker };
}
