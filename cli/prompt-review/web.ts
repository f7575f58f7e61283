import { z } from 'zod';
import { maxCommentLength } from '../../workflows/prompt-messages.ts';
import { formText, type LocalPage, type PageAnswer, serveLocalPage } from '../local-page.ts';
import { reviewPage } from './page.ts';
import type { Review } from './review.ts';

const comment = formText
  .max(maxCommentLength)
  .transform((text) => text || undefined)
  .optional();
/** The two forms of the page. */
const formSchema = z.union([
  z.strictObject({ sample: z.string().min(1), verdict: z.enum(['good', 'bad']), comment }),
  z.strictObject({ action: z.enum(['revise', 'accept', 'stop']), comment }),
]);

/**
 * Serves a page to judge the samples on, to this machine alone. It ends when the workflow has.
 *
 * @param options.report is given why a request could not be answered
 */
export async function serveReview(
  review: Review,
  options: { port: number; report?: (error: unknown) => void },
): Promise<LocalPage> {
  async function show(nonce: string, refused?: string): Promise<PageAnswer> {
    const progress = await review.progress();
    const waiting = progress.phase === 'waiting for verdicts' ? undefined : await review.waitingFor();
    const html = await reviewPage({ progress, samples: await review.samples(progress), nonce, refused, waiting });
    return { html, status: refused === undefined ? 200 : 409, done: progress.phase === 'done' };
  }

  return serveLocalPage(
    {
      show: (_, nonce) => show(nonce),
      async take(fields, nonce) {
        const form = formSchema.safeParse(fields);
        if (!form.success) return { refused: 'The form is not as it was served', status: 400 };
        const result = 'action' in form.data ? await review.decide(form.data) : await review.judge(form.data);
        if ('refused' in result) return show(nonce, result.refused);
        return { seeOther: 'action' in form.data ? '' : `#${encodeURIComponent(form.data.sample)}` };
      },
      async imageFile(id) {
        const samples = await review.samples(await review.progress());
        return samples.find((candidate) => candidate.id === id)?.image;
      },
    },
    { ...options, script: true },
  );
}
