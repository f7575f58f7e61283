/** Two machines with a disk each, and one run between them in a store on S3. */
import { randomBytes } from 'node:crypto';
import { appendFile, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { s3Server } from '../../../bench/support/s3-server.ts';
import { fileExists } from '../../../src/core/files.ts';
import { runStepOnce } from '../../../src/core/manifest.ts';
import type { RunDirectory } from '../../../src/core/run-directory.ts';
import { writeJson } from '../../../src/core/write-file.ts';
import { gate } from '../../helpers/gate.ts';
import { useS3Server } from '../../helpers/s3-server.ts';
import { step } from './example-program.ts';
import { fleet } from './fleet.ts';

useS3Server();

const owns = ['round-0/merged'];

describe.skipIf(s3Server === undefined)('a run in a store', () => {
  it('has a step that one machine finished on another, weights only where they are needed', async () => {
    const { a, b } = await fleet();
    await a.work((run) => step(run, 'one'), { owns });
    await b.work(async ({ stored }) => {
      await stored?.download(b.file('round-0/merged'));
      expect((await readdir(b.file('round-0/merged'))).sort()).toEqual(['config.json', 'manifest.json']);
      await stored?.download(b.file('round-0/merged'), { weights: true });
      expect(await readFile(b.file('round-0/merged/model.safetensors'), 'utf8')).toBe('one'.repeat(200_000));
    });
  });

  it('runs a step once: another machine finds its result and its files', async () => {
    const { a, b } = await fleet();
    await a.work((run) => step(run, 'one'), { owns });
    const again = await b.work((run) => step(run, 'one'), { owns });
    expect(again.skipped).toBe(true);
    expect(await readFile(b.file('round-0/merged/config.json'), 'utf8')).toBe('one');
  });

  it('has only the result of the newest inputs on all machines', async () => {
    const { a, b } = await fleet();
    await a.work((run) => step(run, 'one'), { owns });
    await b.work((run) => step(run, 'two'), { owns });
    await a.work(async ({ stored }) => {
      await stored?.download(a.file('round-0/merged'), { weights: true });
      expect(await readFile(a.file('round-0/merged/config.json'), 'utf8')).toBe('two');
      expect(await readFile(a.file('round-0/merged/model.safetensors'), 'utf8')).toBe('two'.repeat(200_000));
    });
    expect((await a.work((run) => step(run, 'two'), { owns })).skipped).toBe(true);
  });

  it('keeps the result of a step where other work on it fails before it starts', async () => {
    const { a, b } = await fleet();
    await a.work((run) => step(run, 'one'), { owns });
    const failing = b.work(() => Promise.reject(new Error('an earlier step is missing')), { owns });
    await expect(failing).rejects.toThrow('an earlier step is missing');
    expect((await a.work((run) => step(run, 'one'), { owns })).skipped).toBe(true);
  });

  it('resumes on another machine from the checkpoints of one that died, and removes them afterwards', async () => {
    const { store, a, b } = await fleet();
    const folder = ['round-0/finetune'];
    const checkpoint = randomBytes(3 * 1024 * 1024);
    const train = (run: RunDirectory, work: (directory: string) => Promise<void>) => {
      const directory = join(run.root, 'round-0/finetune');
      return runStepOnce({
        directory,
        step: 'finetune',
        inputs: { samples: 1 },
        work: async () => {
          await work(directory);
          await writeFile(join(directory, 'adapter_model.safetensors'), 'adapter');
          return { outputs: ['adapter_model.safetensors', 'loss.jsonl'], metrics: {} };
        },
      });
    };
    const died = a.work(
      (run) =>
        train(run, async (directory) => {
          await appendFile(join(directory, 'loss.jsonl'), '{"step":1}\n');
          await mkdir(join(directory, 'checkpoints'));
          await writeFile(join(directory, 'checkpoints', 'step-1.safetensors'), checkpoint);
          await writeFile(join(directory, 'process.json'), '{}');
          throw new Error('the machine died');
        }),
      { owns: folder },
    );
    await expect(died).rejects.toThrow('the machine died');
    await b.work(
      (run) =>
        train(run, async (directory) => {
          const files = (await readdir(directory)).sort();
          expect(files).toEqual(['checkpoints', 'loss.jsonl', 'started.json']);
          const back = await readFile(join(directory, 'checkpoints', 'step-1.safetensors'));
          expect(back.equals(checkpoint)).toBe(true);
          await appendFile(join(directory, 'loss.jsonl'), '{"step":2}\n');
        }),
      { owns: folder },
    );
    const keys: string[] = [];
    for await (const { key } of store.list('runs/demo/round-0/finetune')) keys.push(key);
    expect(keys).toEqual(['runs/demo/round-0/finetune/folder.json']);
    await rm(a.root, { recursive: true });
    await a.work(async ({ stored }) => stored?.download(a.file('round-0/finetune'), { weights: true }));
    expect(await readFile(a.file('round-0/finetune/loss.jsonl'), 'utf8')).toBe('{"step":1}\n{"step":2}\n');
  });

  it('uploads progress during the work, so that kill -9 loses only the newest of it', async () => {
    const { store, a } = await fleet();
    const folder = 'round-0/shards/validation-0-of-1';
    const done = gate();
    const work = a.work(
      async (run) => {
        const directory = join(run.root, folder);
        await writeJson(join(directory, 'started.json'), { step: 'x', inputsHash: 'y', startedAt: '' });
        await appendFile(join(directory, 'losses.part.jsonl'), 'one batch\n');
        await done.opened;
      },
      { owns: [folder] },
    );
    const unfinished = async () => {
      const sizes: number[] = [];
      for await (const { size } of store.list(`runs/demo/${folder}/unfinished/`)) sizes.push(size);
      return sizes;
    };
    await expect.poll(unfinished, { timeout: 20_000 }).toContain('one batch\n'.length);
    done.open();
    await work;
  });

  it('lets the attempt finish that started last; the one before is stopped and leaves nothing', async () => {
    const { a, b } = await fleet();
    const bothBegan = gate();
    let stoppedBy: unknown;
    const first = a.work(
      (run, signal) =>
        step(run, 'one:from a', async () => {
          await bothBegan.opened;
          await mkdir(a.file('round-0/merged/checkpoints'));
          await writeFile(a.file('round-0/merged/checkpoints/1'), 'x');
          await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
          stoppedBy = signal.reason;
          signal.throwIfAborted();
        }),
      { owns },
    );
    first.catch(() => undefined);
    await expect.poll(() => fileExists(a.file('round-0/merged/started.json'))).toBe(true);
    await b.work(
      (run) =>
        step(run, 'one:from b', async () => {
          bothBegan.open();
          await first.catch(() => undefined);
        }),
      { owns },
    );
    await expect(first).rejects.toMatchObject({ name: 'StepTakenElsewhere' });
    expect(stoppedBy).toMatchObject({ name: 'StepTakenElsewhere' });
    await a.work(async ({ stored }) => stored?.download(a.file('round-0/merged')));
    expect(await readFile(a.file('round-0/merged/config.json'), 'utf8')).toBe('one:from b');
  });

  it('gives the second of two attempts that finish the same step the result of the first', async () => {
    const { store, a, b } = await fleet();
    // Both replace a finished step of other inputs: neither has to announce that it starts.
    await a.work((run) => step(run, 'before'), { owns });
    const slow = gate();
    const started = gate();
    const loser = a.work(
      (run) =>
        step(run, 'one:from a', async () => {
          started.open();
          await slow.opened;
        }),
      { owns },
    );
    await started.opened;
    await b.work((run) => step(run, 'one:from b'), { owns });
    slow.open();
    const { skipped, manifest } = await loser;
    expect(skipped).toBe(true);
    expect(await readFile(a.file('round-0/merged/config.json'), 'utf8')).toBe('one:from b');
    expect(await readFile(b.file('round-0/merged/manifest.json'), 'utf8')).toContain(manifest.inputsHash);
    expect((await store.read('runs/demo/round-0/merged/folder.json'))?.body.toString()).toContain('"finished"');
  });

  it('has the newest files of the run itself on all machines', async () => {
    const { a, b } = await fleet();
    await a.work((run) => writeJson(join(run.root, 'question_types.json'), { one: 'a' }));
    await b.work(async (run) => {
      expect(JSON.parse(await readFile(join(run.root, 'question_types.json'), 'utf8'))).toEqual({ one: 'a' });
      await writeJson(join(run.root, 'dataset-versions', 'log.json'), {});
      await writeJson(join(run.root, 'round-0', 'round.json'), { b: 1 });
    });
    await a.work(async (run) => {
      expect(await fileExists(join(run.root, 'dataset-versions', 'log.json'))).toBe(true);
      expect(await fileExists(join(run.root, 'round-0', 'round.json'))).toBe(true);
    });
  });

  it('merges concurrent changes of two machines, and repeats the work where they changed the same file', async () => {
    const { a, b } = await fleet();
    let changes = 0;
    const change = (name: string, machine: typeof a, during: () => Promise<unknown> = async () => undefined) =>
      machine.work(async (run) => {
        changes += 1;
        await writeJson(join(run.root, name), { changes, at: machine.root });
        await during();
      });
    await change('lineage.json', a, () => change('question_types.json', b));
    await b.work(async () => expect(await fileExists(b.file('lineage.json'))).toBe(true));
    await a.work(async () => expect(await fileExists(a.file('question_types.json'))).toBe(true));
    const both = change('lineage.json', a, () => change('lineage.json', b));
    await expect(both).rejects.toThrow(/lineage\.json: another machine has changed it/);
    await change('lineage.json', a);
    await b.work(async () =>
      expect(JSON.parse(await readFile(b.file('lineage.json'), 'utf8'))).toEqual({ changes: 5, at: a.root }),
    );
  });

  it('syncs files that only grow, of which each process writes its own', async () => {
    const { a, b } = await fleet();
    const calls = 'round-0/generate_calls';
    const share = (run: RunDirectory, list: string) =>
      run.stored?.sync(join(run.root, calls, list), { startingWith: 'chunk-1.' });
    await a.work(async (run) => {
      await share(run, 'requests');
      await mkdir(a.file(`${calls}/requests`), { recursive: true });
      await appendFile(a.file(`${calls}/requests/chunk-1.a.jsonl`), 'answer 1\n');
      await appendFile(a.file(`${calls}/requests/chunk-2.a.jsonl`), 'of another chunk\n');
    });
    await b
      .work(async (run) => {
        await share(run, 'requests');
        expect(await readdir(b.file(`${calls}/requests`))).toEqual(['chunk-1.a.jsonl']);
        await appendFile(b.file(`${calls}/requests/chunk-1.b.jsonl`), 'answer 2\n');
        throw new Error('interrupted');
      })
      .catch(() => undefined);
    await a.work(async (run) => {
      await share(run, 'requests');
      expect(await readFile(a.file(`${calls}/requests/chunk-1.b.jsonl`), 'utf8')).toBe('answer 2\n');
    });
    await rm(b.root, { recursive: true });
    await b.work(async (run) => {
      await share(run, 'other requests');
      expect(await fileExists(b.file(`${calls}/requests`))).toBe(false);
    });
  });

  it('adopts a run that was on one disk only: its finished steps are then available on every machine', async () => {
    const { a, b } = await fleet();
    await step({ root: a.root }, 'one');
    await a.work(async () => undefined);
    await b.work(async ({ stored }) => stored?.download(b.file('round-0/merged'), { weights: true }));
    expect(await readFile(b.file('round-0/merged/model.safetensors'), 'utf8')).toBe('one'.repeat(200_000));
    expect((await b.work((run) => step(run, 'one'), { owns })).skipped).toBe(true);
  });
});
