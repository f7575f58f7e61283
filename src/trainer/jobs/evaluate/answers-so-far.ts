/** What an interrupted evaluation has found already, kept beside its result until that is there. */
import { rm } from 'node:fs/promises';
import { z } from 'zod';
import { openJsonLines } from '../../../core/append-json-lines.ts';
import { readJsonLines } from '../../../core/read-json.ts';
import { evaluationAnswerSchema } from '../../job-files.ts';

const headSchema = z.object({ job: z.string() });
const foundSchema = evaluationAnswerSchema.partial({ losses: true });
const lineSchema = z.union([headSchema, foundSchema]);

export interface AnswersSoFar {
  /** Losses of the answers to rank, by question. */
  losses: Map<string, number[]>;
  /** Answers that the model wrote, by question. */
  texts: Map<string, string>;
  /** Keeps what was found of a batch; resolves when the operating system has it. */
  add(found: readonly z.output<typeof foundSchema>[]): Promise<void>;
  close(): Promise<void>;
  /** Takes the file away: the result is written. */
  remove(): Promise<void>;
}

/**
 * Opens what an evaluation has found so far: `losses.part.jsonl` beside `losses.jsonl`.
 *
 * @param job hash of all that the answers depend on; what another job found is dropped
 */
export async function openAnswersSoFar(output: string, job: string): Promise<AnswersSoFar> {
  const file = output.replace(/(\.jsonl)?$/, '.part.jsonl');
  const earlier = await readJsonLines(file, lineSchema, { tolerateTruncatedLastLine: true }).catch(() => []);
  const [head, ...lines] = earlier;
  const isOurs = head !== undefined && 'job' in head && head.job === job;
  if (!isOurs) await rm(file, { force: true });
  const appender = await openJsonLines(file);
  if (!isOurs) await appender.append({ job }, { flush: false });
  const losses = new Map<string, number[]>();
  const texts = new Map<string, string>();
  for (const line of isOurs ? lines : []) {
    if ('job' in line) continue;
    if (line.losses !== undefined) losses.set(line.question_id, line.losses);
    if (line.text !== undefined) texts.set(line.question_id, line.text);
  }
  return {
    losses,
    texts,
    async add(found) {
      await Promise.all(found.map((line) => appender.append(line, { flush: false })));
    },
    close: () => appender.close(),
    remove: () => rm(file, { force: true }),
  };
}
