/**
 * The processes that a run needs, on ports and queues of their own: Temporal's server, a teacher, workers. Each is started again
 * when it ends.
 */
import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { connectClient } from '../../cli/temporal-client.ts';
import { endingWithUs } from '../../demo/command/child-process.ts';
import { serverArguments, temporalExecutable } from '../../demo/command/temporal-server.ts';
import { projectFile } from '../../src/core/files.ts';
import { freePorts } from '../../src/core/free-ports.ts';
import { writeFileAtomically } from '../../src/core/write-file.ts';
import type { DataEngineInput } from '../../workflows/inputs.ts';
import type { DataEngineResult } from '../../workflows/messages.ts';
import { accessTo } from '../support/worker-access.ts';
import type { Place, Victim } from './at-work.ts';
import { type Supervised, supervise } from './supervised.ts';

export interface StackInput {
  /** Everything of the run lies here: database, logs, `runs/`. */
  folder: string;
  /** The config to run. Its folders and the teacher's address are set here. */
  configFile: string;
  run: string;
  seed: number;
  /** How long the teacher takes for an answer, so that it is busy for a while. */
  teacherMilliseconds?: number;
  trainerEntry?: string;
  trainerEnvironment?: Record<string, string>;
}

export interface Stack extends Place {
  /** Extends the config of the input. */
  configFile: string;
  /** What a step by hand needs of the environment. */
  environment: Record<string, string>;
  /** The process groups of all workers, teachers and servers so far. */
  groups(): number[];
  stop(): Promise<void>;
}

/** Starts all processes of a run. They end with this one. */
export async function openStack(input: StackInput): Promise<Stack> {
  const { folder, run, seed } = input;
  const [port, uiPort, teacherPort] = (await freePorts(3)) as [number, number, number];
  await mkdir(folder, { recursive: true });
  const configFile = join(folder, 'chaos.yaml');
  const queues = { cpu: `${run}-cpu`, gpu: `${run}-gpu` };
  const teacherUrl = `http://127.0.0.1:${teacherPort}/v1`;
  await writeFileAtomically(
    configFile,
    JSON.stringify({
      extends: input.configFile,
      runsDirectory: join(folder, 'runs'),
      teacher: { provider: 'local', baseUrl: teacherUrl },
      temporal: { taskQueues: queues },
    }),
  );
  const address = `127.0.0.1:${port}`;
  const environment = {
    ...input.trainerEnvironment,
    TEMPORAL_ADDRESS: address,
    TEMPORAL_NAMESPACE: 'default',
    // The config that is extended, what that extends in turn, and their data.
    ...(await accessTo(folder, [dirname(input.configFile), projectFile('.')])),
  };
  const node = (name: string, entry: string, ...rest: string[]): Supervised =>
    supervise({
      name,
      program: process.execPath,
      arguments: ['--import', import.meta.resolve('tsx'), projectFile(entry), ...rest],
      logFile: join(folder, `${name.replace(' ', '-')}.log`),
      environment: { ...environment, DATAENGINE_EXIT_WITH_PARENT: '1' },
    });
  const server = serverArguments({ port, uiPort, folder, logLevel: 'error' });
  const processes: Record<Exclude<Victim, 'trainer'>, Supervised> = {
    'Temporal server': supervise(
      {
        name: 'Temporal server',
        ...endingWithUs(await temporalExecutable(), server),
        logFile: join(folder, 'temporal-server.log'),
      },
      { group: true },
    ),
    teacher: supervise(
      {
        name: 'teacher',
        ...endingWithUs(process.execPath, [
          ...['--import', import.meta.resolve('tsx'), projectFile('demo/local-teacher/main.ts')],
          ...['--port', String(teacherPort), '--seed', String(seed), '--mistake-rate', '0.1'],
          ...['--latency', String(input.teacherMilliseconds ?? 0)],
        ]),
        logFile: join(folder, 'teacher.log'),
      },
      { group: true },
    ),
    'CPU worker': node('CPU worker', 'workers/cpu.ts', queues.cpu),
    'GPU worker': node(
      'GPU worker',
      'workers/gpu.ts',
      queues.gpu,
      ...(input.trainerEntry === undefined ? [] : [input.trainerEntry]),
    ),
  };
  const directory = join(folder, 'runs', run);
  return {
    ...{ processes, address, workflowId: run, taskQueue: queues.cpu, directory, teacherUrl, configFile, environment },
    groups: () => Object.values(processes).flatMap((supervised) => supervised.groups()),
    stop: async () => {
      await Promise.all([processes['CPU worker'].stop(), processes['GPU worker'].stop()]);
      await Promise.all([processes.teacher.stop(), processes['Temporal server'].stop()]);
    },
  };
}

const lookMilliseconds = 250;

/**
 * Starts a run, and waits for its end while servers and workers come and go.
 *
 * @throws WorkflowFailedError; the signal's reason when it is aborted
 */
export async function startAndWait(
  { address, taskQueue, workflowId, configFile }: Stack,
  input: Partial<DataEngineInput>,
  signal: AbortSignal,
  id = workflowId,
): Promise<DataEngineResult> {
  const args = [{ config: configFile, run: workflowId, ...input }];
  for (;;) {
    signal.throwIfAborted();
    const client = await connectClient(address).catch(() => undefined);
    try {
      if (client === undefined) continue;
      await client.workflow
        .start('dataEngine', { taskQueue, workflowId: id, args, workflowIdConflictPolicy: 'USE_EXISTING' })
        .catch((error) => {
          // It was started before the server was killed.
          if (error?.name !== 'WorkflowExecutionAlreadyStartedError') throw error;
        });
      for (;;) {
        const { status } = await client.workflow.getHandle(id).describe();
        if (status.name !== 'RUNNING') break;
        await sleep(lookMilliseconds);
      }
      return await client.workflow.getHandle(id).result();
    } catch (error) {
      // Only a server that does not answer is waited for.
      if ((error as Error).name === 'WorkflowFailedError') throw error;
    } finally {
      await client?.connection.close();
      await sleep(lookMilliseconds);
    }
  }
}
