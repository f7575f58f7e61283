import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { withFence } from '../../../src/core/fence.ts';
import { runStepOnce } from '../../../src/core/manifest.ts';
import { processStartTime } from '../../../src/core/process-identity.ts';
import { appendVersion } from '../../../src/datasets/versions.ts';
import { type Claim, claimRun, releaseRun } from '../../../src/round/owner/claim.ts';
import { noteLocalServer } from '../../../src/round/owner/local-servers.ts';
import { type RunOwner, thisProcess, type WorkflowOwner } from '../../../src/round/owner/owner.ts';
import { type OwnerPlace, openOwnerPlace } from '../../../src/round/owner/owner-place.ts';
import { openCallLog } from '../../../src/teacher/call-log.ts';
import { appendToLedger } from '../../../src/teacher/ledger.ts';
import { temporaryFolder } from '../../helpers/temporary-folder.ts';

async function aRun() {
  const root = join(await temporaryFolder(), 'run');
  const place = (await openOwnerPlace(root, { access: undefined, starts: true })) as OwnerPlace;
  return { root, place };
}

const workflow = (workflowId: string, runId: string, round?: string): WorkflowOwner => ({
  kind: 'workflow',
  cluster: 'here',
  namespace: 'default',
  workflowId,
  runId,
  ...(round !== undefined && { round: { workflowId: `${workflowId}/round-0`, runId: round } }),
});

/** What the server says: which executions run. */
const claimOf = (owner: RunOwner, changes: Partial<Claim> = {}): Claim => ({
  owner,
  startsAnew: false,
  takeover: false,
  isCurrent: async () => true,
  isRunning: async () => true,
  ...changes,
});

test('a workflow has its run until another execution of it comes: one epoch for each, and for each round', async () => {
  const { place } = await aRun();
  const claims = [
    [workflow('tuesday', 'a'), 1],
    [workflow('tuesday', 'a', 'round 0'), 2],
    [workflow('tuesday', 'a', 'round 0'), 2],
    // What the run does itself, meanwhile.
    [workflow('tuesday', 'a'), 2],
    [workflow('tuesday', 'after a reset', 'round 0 again'), 3],
  ] as const;
  for (const [owner, epoch] of claims) expect(await claimRun(place, claimOf(owner))).toBe(epoch);
  const late = claimRun(place, claimOf(workflow('tuesday', 'a', 'round 0'), { isCurrent: async () => false }));
  await expect(late).rejects.toThrow(
    /of an execution of tuesday that does not run any more: it was reset, or has ended/,
  );
  await expect(late).rejects.toMatchObject({ name: 'NotOwner' });
});

test('of many claims at the same moment each epoch has one', async () => {
  const { root, place } = await aRun();
  const same = Array.from({ length: 20 }, () => claimRun(place, claimOf(workflow('tuesday', 'a'))));
  expect(new Set(await Promise.all(same))).toEqual(new Set([1]));
  const others = Array.from({ length: 8 }, (_, number) =>
    claimRun(place, claimOf(workflow(`other-${number}`, 'a'), { startsAnew: true, takeover: true })),
  );
  expect(new Set(await Promise.all(others)).size).toBe(8);
  expect((await place.read())?.epoch).toBe(9);
  // Whichever of them wrote the copy last.
  expect(JSON.parse(await readFile(join(root, 'owner.json'), 'utf8'))).toEqual(await place.read());
});

test('work that does not start anew never follows another owner, not even one that has ended', async () => {
  const { place } = await aRun();
  await claimRun(place, claimOf(workflow('first', 'a')));
  await claimRun(place, claimOf(workflow('second', 'b'), { startsAnew: true, isRunning: async () => false }));
  const late = claimRun(place, claimOf(workflow('first', 'a'), { isRunning: async () => false }));
  await expect(late).rejects.toThrow(/the run was taken over by the workflow second/);
});

test('of a step by hand its process is looked at, by host and start; it gives the run back at its end', async () => {
  const { place } = await aRun();
  const next = claimOf(workflow('next', 'a'), { startsAnew: true });
  const epoch = await claimRun(place, claimOf(await thisProcess('finetune'), { startsAnew: true }));
  await expect(claimRun(place, next)).rejects.toThrow(/`dataengine finetune` \(process \d+ on .*\) works on this run/);
  await releaseRun(place, epoch);
  expect(await claimRun(place, next)).toBe(epoch + 2);

  const child = spawn('sleep', ['60']);
  onTestFinished(() => void child.kill('SIGKILL'));
  const startTime = (await processStartTime(child.pid as number)) as string;
  const killed = { kind: 'process', host: hostname(), pid: child.pid as number, startTime, command: 'merge' } as const;
  await claimRun(place, claimOf(killed, { startsAnew: true, takeover: true }));
  await expect(claimRun(place, next)).rejects.toThrow(/`dataengine merge`/);
  child.kill('SIGKILL');
  await once(child, 'exit');
  await claimRun(place, next);
  await claimRun(place, claimOf({ ...killed, host: 'elsewhere' }, { startsAnew: true, takeover: true }));
  await expect(claimRun(place, next)).rejects.toThrow(
    /process \d+ on elsewhere\) works on this run, or can't be asked/,
  );
});

test('the workflows of a server that a command had started for the run have ended with it', async () => {
  const { root, place } = await aRun();
  const server = spawn('sleep', ['60']);
  onTestFinished(() => void server.kill('SIGKILL'));
  await mkdir(root, { recursive: true });
  await noteLocalServer(root, 'here', server.pid as number);
  await claimRun(place, claimOf(workflow('local', 'a')));
  const next = claimOf(await thisProcess('report'), { startsAnew: true });
  await expect(claimRun(place, next)).rejects.toThrow(/the workflow local/);
  server.kill('SIGKILL');
  await once(server, 'exit');
  expect(await claimRun(place, next)).toBe(2);
});

test('nothing is written any more by who has lost the run: no manifest, ledger line, version or request', async () => {
  const { root, place } = await aRun();
  const epoch = await claimRun(place, claimOf(workflow('first', 'a')));
  const fence = place.fence(epoch);
  const step = (work: () => Promise<void>) =>
    withFence(fence, () =>
      runStepOnce({
        directory: join(root, 'step'),
        step: 'example',
        inputs: {},
        work: async () => {
          await work();
          return { outputs: [], metrics: {} };
        },
      }),
    );
  await step(async () => undefined);
  const log = await openCallLog(join(root, 'calls'), 0);
  const takenOver = /the run was taken over by the workflow second/;
  await withFence(fence, async () => {
    const take = () =>
      claimRun(place, claimOf(workflow('second', 'b'), { startsAnew: true, isRunning: async () => false }));
    await writeFile(join(root, 'data.json'), '[]');
    await take();
    const at = '2026-01-01T00:00:00Z';
    await expect(appendToLedger(root, { kind: 'top_up', at, id: 'a', amount: 1 })).rejects.toThrow(takenOver);
    const tokens = { promptTokens: 1, completionTokens: 1 };
    const sent = log.append({ kind: 'sent', call: 'a', request_id: 'r', at, most: tokens });
    await expect(sent).rejects.toThrow(takenOver);
    // A request that was under way may be paid for.
    await log.append({ kind: 'failed', call: 'b', request_id: 'r', at, problem: 'none' });
    const version = appendVersion(root, {
      ...{ round: 1, files: [], countsByType: {}, teacher: 't', promptVersion: 'v', seed: 1, rejected: 0 },
      ...{ cost: tokens, rejectedByReason: {} },
    });
    await expect(version).rejects.toThrow(takenOver);
  });
  await log.close();
  const late = withFence(fence, () =>
    runStepOnce({ directory: join(root, 'step'), step: 'example', inputs: { other: 1 }, work: () => Promise.reject() }),
  );
  await expect(late).rejects.toThrow(takenOver);
  expect(await readdir(join(root, 'step'))).toEqual(['manifest.json']);
});
