/** A review that plays the workflow. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import type { Review } from '../../cli/prompt-review/review.ts';
import type { PromptDecision, PromptProgress, SampleVerdict } from '../../workflows/prompt-messages.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';

/** One iteration of two samples; it is over with the first decision. */
export async function playedReview({ iteration = 1, skipped = false } = {}) {
  const folder = await temporaryFolder();
  const image = join(folder, '1.jpg');
  await sharp({ create: { width: 32, height: 24, channels: 3, background: 'red' } })
    .jpeg()
    .toFile(image);
  const diffFile = join(folder, 'iteration-1.diff');
  await writeFile(diffFile, '--- before\n+++ after\n+13. Be brief.\n');
  const verdicts: SampleVerdict[] = [];
  const decisions: PromptDecision[] = [];
  const samples = ['one', 'two'].map((id) => ({
    id,
    image_id: 1,
    question_type: 'image_scene',
    images: 'same' as const,
    prompt: '## Captions\n\n- a <red> thing\n\n## Answer format\n\nshort',
    answer: skipped ? 'Skip' : `Question of ${id} <script>alert(1)</script>?`,
    ...(skipped && { problem: 'skip: Skip' }),
    image,
  }));
  const progress = (): PromptProgress => ({
    phase: decisions.length === 0 ? 'waiting for verdicts' : 'done',
    directory: folder,
    verdicts,
    history: [],
    current: {
      iteration,
      samples: samples.map(({ id }) => ({ id, images: 'same', dropped: false })),
      samplesFile: 'samples',
      promptFile: 'iteration-1.md',
      ...(iteration > 0 && { diffFile }),
    },
  });
  const review: Review = {
    workflowId: 'played',
    progress: async () => progress(),
    samples: async () => samples,
    waitForSamples: async () => (decisions.length === 0 ? { progress: progress(), samples } : undefined),
    waitingFor: async () => undefined,
    judge: async (verdict) => {
      if (verdict.verdict === 'bad' && !verdict.comment) return { refused: 'comment: say what is wrong with it' };
      verdicts.push(verdict);
      return { left: samples.length - verdicts.length };
    },
    decide: async (decision) => {
      decisions.push(decision);
      return { iteration: 1 };
    },
    result: async () => ({
      iterations: 2,
      directory: folder,
      accepted: { version: 'v2', file: 'v2.md', fromRound: 3 },
    }),
  };
  return { review, verdicts, decisions };
}
