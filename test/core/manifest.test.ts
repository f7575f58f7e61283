import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { hashBytes } from '../../src/core/hash.ts';
import { readManifest, runStepOnce, StepTakenOver } from '../../src/core/manifest.ts';
import { gate } from '../helpers/gate.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';

/** A step that writes its input's text to out.txt and counts how often it really worked. */
async function countingStep() {
  const directory = join(await temporaryFolder(), 'step');
  let worked = 0;
  const run = (text: string, before?: () => Promise<void>) =>
    runStepOnce({
      directory,
      step: 'example',
      inputs: { text },
      now: () => new Date(Date.UTC(2024, 0, 1)),
      work: async () => {
        worked += 1;
        await before?.();
        await writeFile(join(directory, 'out.txt'), text);
        return { outputs: [join(directory, 'out.txt')], metrics: { length: text.length } };
      },
    });
  return { directory, run, worked: () => worked };
}

describe('runStepOnce', () => {
  it('works once, then returns the same manifest without working', async () => {
    const step = await countingStep();
    const first = await step.run('hello');
    expect(first).toEqual({
      skipped: false,
      manifest: {
        schemaVersion: 1,
        step: 'example',
        inputsHash: expect.stringMatching(/^[0-9a-f]{64}$/),
        inputs: { text: 'hello' },
        outputs: { 'out.txt': hashBytes('hello') },
        metrics: { length: 5 },
        startedAt: '2024-01-01T00:00:00.000Z',
        finishedAt: '2024-01-01T00:00:00.000Z',
      },
    });
    expect(await step.run('hello')).toEqual({ ...first, skipped: true });
    expect(await readManifest(step.directory)).toEqual(first.manifest);
    expect(step.worked()).toBe(1);
    expect(await readdir(step.directory)).toEqual(['manifest.json', 'out.txt']);
  });

  it('counts the time of work that finds the inputs', async () => {
    const directory = join(await temporaryFolder(), 'step');
    const [since, end] = [Date.UTC(2024, 0, 1), Date.UTC(2024, 0, 2)].map((time) => new Date(time));
    const work = async () => ({ outputs: [], metrics: {} });
    const { manifest } = await runStepOnce({
      directory,
      step: 'example',
      inputs: {},
      since,
      now: () => end as Date,
      work,
    });
    expect([manifest.startedAt, manifest.finishedAt]).toEqual([since?.toISOString(), end?.toISOString()]);
  });

  it('works again when an input changed, in a folder without files of the earlier attempt', async () => {
    const step = await countingStep();
    await step.run('hello');
    await writeFile(join(step.directory, 'checkpoint'), 'of the old inputs');
    expect((await step.run('other')).skipped).toBe(false);
    expect(await readdir(step.directory)).toEqual(['manifest.json', 'out.txt']);
  });

  it.each([
    ['changed', (file: string) => writeFile(file, 'changed by hand')],
    ['gone', (file: string) => rm(file)],
  ])('works again when an output is %s', async (_, damage) => {
    const step = await countingStep();
    await step.run('hello');
    await damage(join(step.directory, 'out.txt'));
    const seen: boolean[] = [];
    await step.run('hello', async () => void seen.push(existsSync(join(step.directory, 'out.txt'))));
    expect(seen).toEqual([false]);
    expect(await readFile(join(step.directory, 'out.txt'), 'utf8')).toBe('hello');
  });

  it('has no manifest during the work, nor after it failed', async () => {
    const step = await countingStep();
    await step.run('hello');
    const failing = step.run('other', async () => {
      expect(await readManifest(step.directory)).toBeUndefined();
      throw new Error('killed');
    });
    await expect(failing).rejects.toThrow('killed');
    expect(await readManifest(step.directory)).toBeUndefined();
  });

  it('keeps what an interrupted attempt left when the inputs are the same, and only then', async () => {
    const step = await countingStep();
    const checkpoint = join(step.directory, 'checkpoints/step-100');
    const interrupt = async () => {
      await mkdir(join(step.directory, 'checkpoints'), { recursive: true });
      await writeFile(checkpoint, '');
      throw new Error('killed');
    };
    await expect(step.run('hello', interrupt)).rejects.toThrow('killed');
    expect(existsSync(checkpoint)).toBe(true);
    const seen: boolean[] = [];
    const look = async () => void seen.push(existsSync(checkpoint));
    await step.run('hello', look);
    await expect(step.run('other', interrupt)).rejects.toThrow('killed');
    await step.run('third', look);
    expect(seen).toEqual([true, false]);
  });

  it('lets only the attempt finish that started last, whichever ends first', async () => {
    for (const lateFirst of [true, false]) {
      const directory = join(await temporaryFolder(), 'step');
      const attempt = (name: string) => {
        const end = gate();
        const started = gate();
        const done = runStepOnce({
          directory,
          step: 'example',
          inputs: {},
          work: async () => {
            started.open();
            await end.opened;
            await writeFile(join(directory, 'out.txt'), 'the same');
            return { outputs: ['out.txt'], metrics: { [name]: 1 } };
          },
        });
        return { done: done.catch((error: unknown) => error), end: end.open, started: started.opened };
      };
      const thoughtDead = attempt('thoughtDead');
      await thoughtDead.started;
      const second = attempt('second');
      await second.started;
      for (const one of lateFirst ? [thoughtDead, second] : [second, thoughtDead]) {
        one.end();
        await one.done;
      }
      expect(await thoughtDead.done).toBeInstanceOf(StepTakenOver);
      expect(await second.done).toMatchObject({ skipped: false });
      expect((await readManifest(directory))?.metrics).toEqual({ second: 1 });
      expect(await readdir(directory)).toEqual(['manifest.json', 'out.txt']);
    }
  });

  it('refuses a manifest of a newer version of the program, and keeps its files', async () => {
    const directory = await temporaryFolder();
    const text = JSON.stringify({ schemaVersion: 2, step: 'classify', somethingNew: true });
    await writeFile(join(directory, 'manifest.json'), text);
    const work = async () => ({ outputs: [], metrics: {} });
    const again = runStepOnce({ directory, step: 'classify', inputs: {}, work });
    await expect(again).rejects.toThrow(
      /manifest\.json: schemaVersion: is 2.*a newer one wrote it\. Update this worker/,
    );
    expect(await readFile(join(directory, 'manifest.json'), 'utf8')).toBe(text);
  });

  it('treats a damaged manifest as a missing one', async () => {
    const step = await countingStep();
    await step.run('hello');
    await writeFile(join(step.directory, 'manifest.json'), '{"schemaVersion": 1, "step"');
    expect((await step.run('hello')).skipped).toBe(false);
    expect(step.worked()).toBe(2);
  });

  it('refuses a result that names a file it did not write', async () => {
    const directory = await temporaryFolder();
    const missing = runStepOnce({
      directory,
      step: 'merge',
      inputs: {},
      work: async () => ({ outputs: ['model.safetensors'], metrics: {} }),
    });
    await expect(missing).rejects.toThrow(
      `Step merge names model.safetensors as its output, but did not write it in ${directory}`,
    );
    expect(await readManifest(directory)).toBeUndefined();
  });

  it("never clears a folder that holds other steps' folders", async () => {
    const root = await temporaryFolder();
    const work = async () => ({ outputs: [], metrics: {} });
    await runStepOnce({ directory: join(root, 'evaluate'), step: 'evaluate', inputs: {}, work });
    await runStepOnce({ directory: root, step: 'report', inputs: { rounds: 1 }, work });
    await expect(runStepOnce({ directory: root, step: 'report', inputs: { rounds: 2 }, work })).rejects.toThrow(
      "not one step's own folder",
    );
    expect(await readManifest(join(root, 'evaluate'))).toBeDefined();
  });

  it('records a large input by its hash', async () => {
    const directory = await temporaryFolder();
    const { manifest } = await runStepOnce({
      directory,
      step: 's',
      inputs: { lora: { rank: 8 }, seed: 1 },
      work: async () => ({ outputs: [], metrics: {} }),
    });
    expect(manifest.inputs).toEqual({ lora: expect.stringMatching(/^[0-9a-f]{64}$/), seed: '1' });
  });
});
