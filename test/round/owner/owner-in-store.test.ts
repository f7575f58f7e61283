/**
 * Who owns a run that two hosts share by a bucket, on a real server: each host is a process of its own, and the server's
 * conditional writes (If-None-Match, If-Match) decide between them.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { describe, expect, onTestFinished, test } from 'vitest';
import { s3Server } from '../../../bench/support/s3-server.ts';
import { projectFile } from '../../../src/core/files.ts';
import { type OwnerPlace, openOwnerPlace } from '../../../src/round/owner/owner-place.ts';
import { fleet } from '../../core/remote/fleet.ts';
import { useS3Server } from '../../helpers/s3-server.ts';
import type { Answer, Order } from './owner-host-process.ts';

useS3Server();

/** A host: takes an order at a time. */
function startHost(uri: string) {
  const program = projectFile('test/round/owner/owner-host-process.ts');
  const child = spawn(process.execPath, ['--import', 'tsx', program, uri], { stdio: ['pipe', 'pipe', 'inherit'] });
  onTestFinished(async () => {
    const ended = once(child, 'exit');
    child.stdin.end();
    await ended;
  });
  const answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return async (order: Order): Promise<Answer> => {
    child.stdin.write(`${JSON.stringify(order)}\n`);
    const { value = '{}' } = await answers.next();
    return JSON.parse(value) as Answer;
  };
}

async function twoHosts() {
  const { store } = await fleet();
  const uri = `${store.uri}/runs/demo`;
  return { store, uri, one: startHost(uri), two: startHost(uri) };
}

const workflow = (workflowId: string, runId = 'a') => ({
  ...{ kind: 'workflow' as const, cluster: 'here', namespace: 'default' },
  workflowId,
  runId,
});

describe.skipIf(s3Server === undefined)('a run that two hosts share by a bucket', () => {
  test('has one owner of each epoch, whichever hosts want it at the same moment', async () => {
    const { store, one, two } = await twoHosts();
    const epochs: number[] = [];
    for (let round = 0; round < 10; round += 1) {
      const wants = (host: typeof one, name: string) =>
        host({ do: 'claim', owner: workflow(`${name}-${round}`), takeover: true });
      const [first, second] = await Promise.all([wants(one, 'one'), wants(two, 'two')]);
      expect([first.problem, second.problem]).toEqual([undefined, undefined]);
      epochs.push(...[first.epoch as number, second.epoch as number].sort((a, b) => a - b));
    }
    // None twice, and none left out.
    expect(epochs).toEqual(Array.from({ length: 20 }, (_, index) => index + 1));
    const record = JSON.parse(String((await store.read('runs/demo/owner.json'))?.body)) as { epoch: number };
    expect(record.epoch).toBe(20);
  });

  test('goes to one of two workflows that come at the same moment; the other is refused in words', async () => {
    const { one, two } = await twoHosts();
    const answers = await Promise.all([
      one({ do: 'claim', owner: workflow('one') }),
      two({ do: 'claim', owner: workflow('two') }),
    ]);
    const [won, lost] = answers[0].epoch === undefined ? [answers[1], answers[0]] : answers;
    expect(won).toEqual({ epoch: 1 });
    expect(lost.epoch).toBeUndefined();
    expect(lost.problem).toMatch(/the workflow (?:one|two) \(namespace default, cluster here\) works on this run/);
    expect(lost.problem).toContain('--takeover');
  });

  test('goes on for the same execution on the other host, under the same epoch', async () => {
    const { one, two } = await twoHosts();
    const claims = [one, two].map((host) => host({ do: 'claim', owner: workflow('shared') }));
    expect(await Promise.all(claims)).toEqual([{ epoch: 1 }, { epoch: 1 }]);
  });

  test('is lost at once for work under way, however lately it has looked', async () => {
    const { uri, one } = await twoHosts();
    const place = (await openOwnerPlace(uri, { access: undefined, starts: true })) as OwnerPlace;
    await one({ do: 'claim', owner: workflow('one') });
    const fence = place.fence(1);
    await fence.require();
    await one({ do: 'claim', owner: workflow('two'), takeover: true });
    await expect(fence.require()).rejects.toThrow(/the run was taken over by the workflow two/);
  });

  test('takes no result from the host that has lost it, at once; and its own from the one that has it', async () => {
    const { one, two } = await twoHosts();
    await one({ do: 'claim', owner: workflow('one') });
    expect(await one({ do: 'commit', text: 'of one' })).toEqual({ text: 'of one' });
    await two({ do: 'claim', owner: workflow('two'), takeover: true });
    const late = await one({ do: 'commit', text: 'late' });
    expect(late.problem).toMatch(/the run was taken over by the workflow two/);
    expect(await two({ do: 'commit', text: 'of two' })).toEqual({ text: 'of two' });
    // A result of the other inputs would have taken its place.
    expect(await two({ do: 'commit', text: 'of two' })).toEqual({ text: 'of two' });
    expect(await one({ do: 'read' })).toEqual({ text: 'of two' });
  });
});
