/**
 * The demo command with a pretend trainer: its processes and its end, not its scores.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test, vi } from 'vitest';
import { runningWith } from '../../../bench/support/processes.ts';
import { runDemo } from '../../../demo/command/demo.ts';
import { temporaryFolder } from '../../helpers/temporary-folder.ts';
import { pretendTrainerEntry, writeTinyRun } from '../../round/tiny-run.ts';

function captureOutput(): { text: () => string } {
  const parts: string[] = [];
  vi.spyOn(process.stdout, 'write').mockImplementation((part) => parts.push(String(part)) > 0);
  vi.spyOn(process.stderr, 'write').mockImplementation((part) => parts.push(String(part)) > 0);
  return { text: () => parts.join('') };
}

const options = { quick: false, keep: false, trainerEntry: pretendTrainerEntry };

test('runs the loop on its own server, prints the results and leaves no process', async () => {
  const folder = await temporaryFolder();
  const config = await writeTinyRun(folder, (tiny) => ({ ...tiny, rounds: 1 }));
  const output = captureOutput();
  const result = await runDemo({ ...options, config, signal: new AbortController().signal });
  vi.restoreAllMocks();

  expect(result.rounds).toHaveLength(2);
  expect(result.run).toBe('demo-seed7');
  const text = output.text();
  expect(text).toMatch(/Temporal UI +http:\/\/127\.0\.0\.1:\d+/);
  expect(text).toMatch(/round 0 finetune +\d+ s +28 samples/);
  expect(text).toContain('error by question type');
  expect(text).toContain(`Report        ${join(folder, 'runs', 'demo-seed7', 'report.html')}`);
  // A killed process needs a moment to disappear.
  await expect.poll(() => runningWith(folder), { timeout: 5000 }).toEqual([]);
}, 300_000);

test('stops everything when interrupted during finetune, and resumes from there the next time', async () => {
  const folder = await temporaryFolder();
  const config = await writeTinyRun(folder, (tiny) => ({
    ...tiny,
    rounds: 0,
    finetune: { ...tiny.finetune, stepsPerEpoch: 60 },
  }));
  const finetune = join(folder, 'runs', 'demo-seed7', 'round-0', 'finetune');
  captureOutput();
  const interruption = new AbortController();
  process.env.DATAENGINE_PRETEND_STEP_MILLISECONDS = '100';
  const interrupted = runDemo({ ...options, config, signal: interruption.signal }).catch(
    (error: Error) => error.message,
  );
  while ((await readFile(join(finetune, 'loss.jsonl'), 'utf8').catch(() => '')).split('\n').length < 12)
    await sleep(50);
  interruption.abort(new Error('interrupted'));
  expect(await interrupted).toBe('interrupted');
  // A killed process needs a moment to disappear.
  await expect.poll(() => runningWith(folder), { timeout: 5000 }).toEqual([]);

  delete process.env.DATAENGINE_PRETEND_STEP_MILLISECONDS;
  const { run } = await runDemo({ ...options, config, signal: new AbortController().signal });
  vi.restoreAllMocks();
  expect(run).toBe('demo-seed7');
  expect(await readFile(join(finetune, 'trainer.log'), 'utf8')).toMatch(
    /starting at step 0 [\s\S]*starting at step [1-9]0 /,
  );
}, 300_000);
