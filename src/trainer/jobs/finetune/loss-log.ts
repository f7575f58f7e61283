/** The loss curve of a run: `loss.jsonl` for programs, TensorBoard events for people. */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, open, rename, stat } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
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
  /** The loss of the samples, where the step's has that of preference pairs in it. */
  sftLoss: z.number().optional(),
  /** Of the step's preference pairs, as the others below. */
  preferenceLoss: z.number().optional(),
  /** By how much the chosen answers' rewards exceed the rejected ones', a mean. */
  rewardMargin: z.number().optional(),
  /** The share of pairs whose chosen answer has the higher reward. */
  rewardAccuracy: z.number().optional(),
});
export type LossRecord = z.output<typeof lossRecordSchema>;

/** What TensorBoard shows, and its name there. */
const SCALARS = {
  loss: 'loss',
  learningRate: 'learning rate',
  gradientNorm: 'gradient norm',
  sftLoss: 'sft loss',
  preferenceLoss: 'preference loss',
  rewardMargin: 'reward margin',
  rewardAccuracy: 'reward accuracy',
} as const satisfies Partial<Record<keyof LossRecord, string>>;

export const LOSS_FILE = 'loss.jsonl';
export const VALIDATION_LOSS_FILE = 'validation-loss.jsonl';
const TENSORBOARD_EVERY_STEPS = 10;

export interface LossLog {
  /** Of all steps so far. */
  curve: readonly LossRecord[];
  write(record: LossRecord): void;
  /** Writes all validation losses so far: `validation-loss.jsonl`. */
  writeValidation(losses: readonly ValidationLossRecord[]): Promise<void>;
  /** Waits until everything written is with the operating system. */
  flush(): Promise<void>;
  /** @throws Error when another trainer's log is there by now */
  close(): Promise<void>;
}

/**
 * Opens the log of a run whose steps so far have this curve: what an interrupted attempt wrote past them is cut off. The log is
 * a file of its own that takes the other's place, so that another attempt's trainer, of another host say, can't write into it.
 */
export async function openLossLog(directory: string, before: readonly LossRecord[]): Promise<LossLog> {
  await mkdir(directory, { recursive: true });
  const file = path.join(directory, LOSS_FILE);
  const temporary = path.join(directory, `.${LOSS_FILE}.${randomBytes(6).toString('hex')}.tmp`);
  const handle = await open(temporary, 'wx');
  const curve = [...before];
  const line = (record: LossRecord) => `${JSON.stringify(record)}\n`;
  await handle.writeFile(curve.map(line).join(''));
  await handle.sync();
  await rename(temporary, file);
  const { ino } = await handle.stat();
  const stream = handle.createWriteStream();
  const failed = once(stream, 'error').then(([error]) => Promise.reject(error as Error));
  failed.catch(() => {});
  const tensorBoard = summaryWriter(path.join(directory, 'tensorboard'));

  const flush = () =>
    Promise.race([
      failed,
      new Promise<void>((resolve, reject) => stream.write('', (error) => (error ? reject(error) : resolve()))),
    ]);
  return {
    curve,
    write: (record) => {
      curve.push(record);
      stream.write(line(record));
      if (record.step % TENSORBOARD_EVERY_STEPS !== 0) return;
      for (const [key, name] of Object.entries(SCALARS)) {
        const value = record[key as keyof LossRecord];
        if (value !== undefined) tensorBoard.scalar(name, value, record.step);
      }
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
      if ((await stat(file).catch(() => undefined))?.ino !== ino)
        throw new Error(`${file}: another attempt's trainer has started meanwhile`);
    },
  };
}
