/** What a canceled step of a CPU worker has made so far, for a run in a store that is reached slowly. */
import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import { openStepProcesses } from '../../activities/step-processes.ts';
import { bucket, s3Server } from '../../bench/support/s3-server.ts';
import { loadConfig } from '../../src/config/load-config.ts';
import { withNewRun, withRun } from '../../src/round/open-run.ts';
import { stepDirectory } from '../../src/round/step-directory.ts';
import { faultyProxy } from '../core/remote/faulty-proxy.ts';
import { gate } from '../helpers/gate.ts';
import { useS3Server } from '../helpers/s3-server.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';
import { writeTinyRun } from '../round/tiny-run.ts';
import { dependencies } from '../workflows/worker-activities.ts';

const server = useS3Server();

test.skipIf(s3Server === undefined)(
  'is uploaded for longer than the step may compute, and is on the next machine',
  async () => {
    const folder = await temporaryFolder();
    const store = `s3://${bucket}/saving`;
    const { extensions } = dependencies;
    const machine = (name: string) => ({
      ...dependencies.settings,
      runs: [join(folder, name, 'runs')],
      cache: join(folder, name, 'cache'),
    });
    const work = { signal: new AbortController().signal, onProgress: () => undefined, extensions };
    const config = await loadConfig(await writeTinyRun(folder, (tiny) => ({ ...tiny, store })));
    const uri = await withNewRun(config, 'demo', { ...work, access: machine('a') }, async ({ run }) => run.stored?.uri);

    // 6 MB, a piece of at most 64 KB every 70 ms.
    const content = randomBytes(6e6);
    const proxy = await faultyProxy(server.port);
    proxy.faults = { delaysSent: () => 70 };
    vi.stubEnv('AWS_ENDPOINT_URL_S3', proxy.endpoint);
    const processes = openStepProcesses({ entry: new URL('saving-process.ts', import.meta.url) });
    onTestFinished(() => processes.close());
    vi.unstubAllEnvs();
    const controller = new AbortController();
    const written = gate();
    const facts = { input: { runDirectory: uri, round: 1, content }, settings: machine('a') };
    const step = processes.run('step', facts, { signal: controller.signal, onProgress: written.open });
    await Promise.race([written.opened, step]);
    const started = performance.now();
    controller.abort(new Error('canceled'));
    await expect(step).rejects.toThrow('canceled');
    expect(performance.now() - started).toBeGreaterThan(5000);

    const owns = ({ run }: { run: { root: string } }) => [stepDirectory(run, 1, 'verify')];
    const saved = await withRun(String(uri), { ...work, access: machine('b'), owns }, ({ run }) =>
      readFile(join(stepDirectory(run, 1, 'verify'), 'answers.jsonl')),
    );
    expect(saved.equals(content)).toBe(true);
  },
);
