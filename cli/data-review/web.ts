import { z } from 'zod';
import { sha256Text } from '../../src/core/inside.ts';
import { type GivenDecision, givenDecisionSchema, maxReviewComment } from '../../src/round/review/decisions.ts';
import { reviewCounts, type SampleReview } from '../../src/round/review/open-review.ts';
import { formText, type LocalPage, type PageAnswer, serveLocalPage } from '../local-page.ts';
import { type RefusedForm, samplePage } from './page.ts';

const comment = formText
  .max(maxReviewComment)
  .transform((text) => text || undefined)
  .optional();
/** The two forms of the page. */
const formSchema = z.union([
  z.strictObject({ sample: sha256Text, decision: z.enum(['keep', 'reject']), comment }),
  z
    .object({
      sample: sha256Text,
      decision: z.literal('edit'),
      question: formText,
      correct: z.stringFormat('digit', /^\d$/).transform(Number).optional(),
      answer: formText.optional(),
      explanation: formText,
    })
    .catchall(z.string()),
]);

const choiceName = /^choice\d$/;

/**
 * Serves a page to decide on the samples of a round, one after another, to this machine alone. It ends when all are decided.
 *
 * @param options.report is given why a request could not be answered
 */
export async function serveSampleReview(
  review: SampleReview,
  options: { port: number; report?: (error: unknown) => void },
): Promise<LocalPage> {
  async function show(
    wanted: { place?: number; sample?: string },
    nonce: string,
    refused?: RefusedForm,
  ): Promise<PageAnswer> {
    const samples = await review.samples();
    const isWanted = wanted.sample !== undefined;
    const at = samples.findIndex(({ key, decision }) => (isWanted ? key === wanted.sample : decision === undefined));
    const place = wanted.place ?? (at < 0 ? samples.length : at);
    const html = samplePage({ round: review.round, samples, place, nonce, refused });
    const done = place >= samples.length && reviewCounts(samples).undecided === 0;
    return { html, status: refused === undefined ? 200 : 409, done };
  }

  return serveLocalPage(
    {
      async show(query, nonce) {
        const number = Number(query.get('sample') ?? Number.NaN);
        return show(Number.isInteger(number) && number > 0 ? { place: number - 1 } : {}, nonce);
      },
      async take(fields, nonce) {
        const given = decisionOf(fields);
        if (given === undefined) return { refused: 'The form is not as it was served', status: 400 };
        const refused = await review.decide(given);
        if (refused === undefined) return { seeOther: '' };
        return show({ sample: given.sample }, nonce, { ...refused, edited: given.edited });
      },
      async imageFile(id) {
        return (await review.samples()).find(({ key }) => key === id)?.image;
      },
    },
    { ...options, script: true },
  );
}

function decisionOf(fields: Record<string, string>): GivenDecision | undefined {
  const form = formSchema.safeParse(fields);
  if (!form.success) return undefined;
  if (form.data.decision !== 'edit') return form.data;
  const { sample, decision, question, correct, answer, explanation, ...rest } = form.data;
  const names = Object.keys(rest);
  if (names.some((name, index) => !choiceName.test(name) || name !== `choice${index}`)) return undefined;
  const choices = Object.values(rest).map((choice) => choice.trim());
  const given = { sample, decision, edited: { question, choices, correct, answer, explanation } };
  return givenDecisionSchema.safeParse(given).data;
}
