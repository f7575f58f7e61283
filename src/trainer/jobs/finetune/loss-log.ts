/** The loss curve of a run: `loss.jsonl` for programs, TensorBoard events for people. */
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { readJsonLines } from '../../../core/read-json.ts';
import { writeJsonLines } from '../../../core/write-file.ts';
import { summaryWriter } from '../../../model/ops/summary-writer.ts';
import type { ValidationLossRecord } from '../../job-files.ts';

export const lossRecordSchema = z.object({
  /** From 1. */
  step: z.number().int().positive(),
  loss: z.number(),
  learningRate: z.number(),
  /** Before it was shortened; only with finetune.maximumGradientNorm. */
  gradientNorm: z.number().optional(),
});
export type LossRecord = z.output<typeof lossRecordSchema>;

export const VALIDATION_LOSS_FILE = 'validation-loss.jsonl';
const TENSORBOARD_EVERY_STEPS = 10;

export interface LossLog {
  file: string;
  write(record: LossRecord): void;
  /** Writes all validation losses so far: `validation-loss.jsonl`. */
  writeValidation(losses: readonly ValidationLossRecord[]): Promise<void>;
  /** Waits until everything written is with the operating system. */
  flush(): Promise<void>;
  close(): Promise<void>;
}

/** Opens the log of a run that has done `steps` steps: what an interrupted attempt wrote past them is cut off. */
export async function openLossLog(directory: string, steps: number): Promise<LossLog> {
  await mkdir(directory, { recursive: true });
  const file = path.join(directory, 'loss.jsonl');
  const earlier = steps === 0 ? [] : await readJsonLines(file, lossRecordSchema, { tolerateTruncatedLastLine: true });
  const kept = earlier.filter((record) => record.step <= steps);
  await writeJsonLines(file, kept);
  const stream = createWriteStream(file, { flags: 'a' });
  const failed = once(stream, 'error').then(([error]) => Promise.reject(error as Error));
  failed.catch(() => {});
  const tensorBoard = summaryWriter(path.join(directory, 'tensorboard'));

  const flush = () =>
    Promise.race([
      failed,
      new Promise<void>((resolve, reject) => stream.write('', (error) => (error ? reject(error) : resolve()))),
    ]);
  return {
    file,
    write: (record) => {
      stream.write(`${JSON.stringify(record)}\n`);
      if (record.step % TENSORBOARD_EVERY_STEPS !== 0) return;
      tensorBoard.scalar('loss', record.loss, record.step);
      tensorBoard.scalar('learning rate', record.learningRate, record.step);
      if (record.gradientNorm !== undefined) tensorBoard.scalar('gradient norm', record.gradientNorm, record.step);
    },
    writeValidation: async (losses) => {
      await writeJsonLines(path.join(directory, VALIDATION_LOSS_FILE), losses);
      const newest = losses.at(-1);
      if (newest) tensorBoard.scalar('validation loss', newest.loss, newest.step);
    },
    flush,
    close: async () => {
      await flush();
      tensorBoard.close();
      await new Promise<void>((resolve) => stream.end(resolve));
    },
  };
}
