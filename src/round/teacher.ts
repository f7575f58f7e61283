import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import type { OpenAI } from 'openai';
import type { Config } from '../config/schema.ts';
import { requireTeacherAccess } from '../core/access.ts';
import { InputError } from '../core/input-error.ts';
import type { SettleUnclear } from '../evaluation/extract-choice.ts';
import { extractionPrompt, extractWithTeacher } from '../evaluation/extract-with-teacher.ts';
import { withoutReasoning } from '../teacher/answer-text.ts';
import { countPromptTokens } from '../teacher/count-tokens.ts';
import { imageUrlTokens } from '../teacher/image-tokens.ts';
import { readPrice, type TokenPrice } from '../teacher/prices.ts';
import type { ChatMessage } from '../teacher/prompt-template.ts';
import { findTeacher, type Teacher } from '../teacher/providers/index.ts';
import type { TeacherAnswer } from '../teacher/read-completion.ts';
import { limitedBudget, openSpending } from '../teacher/spending.ts';
import { askTeacher, type SamplingSettings, type StructuredFormat, withImage } from '../teacher/teacher.ts';
import { TeacherError } from '../teacher/teacher-error.ts';
import { showsImages } from './dataset-paths.ts';
import { withServedClient } from './served-teacher.ts';
import type { StepContext } from './step-context.ts';
import { confirmRequests, type PlannedRequests, planRequests } from './teacher-price.ts';

/** The part of a step's context that the teacher follows from. */
export type TeacherContext = Pick<StepContext, 'config' | 'extensions' | 'access'>;

/** The config's teacher. @throws InputError for a provider or a mode that is not there */
export function teacherOf({ config, extensions }: TeacherContext): Teacher {
  return findTeacher(config.teacher, extensions.teacherProviders);
}

/** Gives the work a client of the teacher. @throws InputError when the key or the address is missing */
export async function connectTeacher<R>(context: TeacherContext, work: (client: OpenAI) => Promise<R>): Promise<R> {
  const { provider, settings } = teacherOf(context);
  if (settings.baseUrl !== undefined) requireTeacherAccess(context.access, settings.baseUrl);
  return provider.connect({ ...settings, seed: context.config.seed, access: context.access }, work);
}

/** Sends a prompt to the teacher once; temperature and length default to the config's. @throws TeacherError */
export type AskTeacher = (
  messages: ChatMessage[],
  options: {
    signal?: AbortSignal;
    seed?: number;
    temperature?: number;
    maximumTokens?: number;
    format?: StructuredFormat | undefined;
    /** Data URL of an image that goes with the prompt. */
    image?: string | undefined;
    /** Sends the config's `stop` and `logitBias` too. Default: no, since a prompt or a reply may well contain them. */
    asForSamples?: boolean;
  },
) => Promise<TeacherAnswer>;

/**
 * Gives the work a teacher to ask, and enters the cost in the run's ledger. With a budget, a call is made only when the
 * budget allows its longest answer. Before the first call a person is asked whether all of them may be paid, where there is one.
 *
 * @param asked.purpose the name of the work in the ledger
 * @param asked.planned all requests that the work may make; undefined for work that only workers do
 * @throws InputError when the key or the price is missing; asking: OutOfBudget, what `confirmCost` throws
 */
export async function withTeacher<R>(
  context: TeacherContext & Pick<StepContext, 'run' | 'round' | 'signal' | 'holdsGpu' | 'confirmCost'>,
  work: (ask: AskTeacher) => Promise<R>,
  {
    purpose = 'questions',
    planned,
  }: { purpose?: string; planned: (() => PlannedRequests | Promise<PlannedRequests>) | undefined },
): Promise<R> {
  const { run, round, signal } = context;
  const { teacher } = context.config;
  await refuseUnknownPrice(context);
  const spending = openSpending({
    runDirectory: run.root,
    source: `round-${round}/${purpose}/${randomUUID()}`,
    model: teacher.model,
    price: await readPrice(teacher.prices, teacher.model, 'online'),
    limit: limitedBudget(teacher)?.limit,
  });
  let agreed: Promise<void> | undefined;
  return withClient(context, (client) =>
    work(async (messages, { temperature, maximumTokens, format, image, asForSamples = false, ...options }) => {
      const asked = {
        ...(asForSamples ? teacher : withoutStops(teacher)),
        format,
        temperature: temperature ?? teacher.temperature,
        maximumTokens: maximumTokens ?? teacher.maximumTokens,
      };
      if (planned !== undefined) {
        agreed ??= confirmRequests(context, planned);
        await agreed;
      }
      const { detail } = teacher.images;
      const inImage = image === undefined ? 0 : imageUrlTokens(teacher.model, image, detail);
      const promptTokens = countPromptTokens(messages) + inImage;
      const most = { promptTokens, completionTokens: asked.maximumTokens };
      const reservation = await spending.reserve(most);
      let answer: TeacherAnswer;
      try {
        answer = await askTeacher(
          await client(),
          image === undefined ? messages : withImage(messages, image, detail),
          asked,
          {
            signal,
            ...options,
          },
        );
      } catch (error) {
        const isKnown = error instanceof TeacherError && !error.outcomeUnknown;
        await (isKnown ? reservation.failed(error.charged) : reservation.lost());
        throw error;
      }
      await reservation.answered(answer.usage);
      return { ...answer, text: withoutReasoning(answer.text) };
    }),
  );
}

function withClient<R>(
  context: Parameters<typeof withServedClient>[0],
  work: (client: () => Promise<OpenAI>) => Promise<R>,
): Promise<R> {
  if (context.config.teacher.serve !== undefined) return withServedClient(context, connectTeacher, work);
  return connectTeacher(context, (client) => work(() => Promise.resolve(client)));
}

/** The settings for requests other than for samples and question types. */
export function withoutStops<Settings extends SamplingSettings>(teacher: Settings): Settings {
  return { ...teacher, stop: [], logitBias: {} };
}

/** The settings that an answer depends on, besides its prompt. */
export function teacherIdentity(teacher: Config['teacher']): Record<string, unknown> {
  const { provider, baseUrl, serve, model, temperature, topP, maximumTokens, mistakeRate, answerFormat, attachImage } =
    teacher;
  const { tokenLimitParameter, samplingParameters, extraBody, stop, logitBias } = teacher;
  return {
    ...{ provider, baseUrl, model, temperature, topP, maximumTokens, mistakeRate, answerFormat, attachImage },
    ...(serve !== undefined && { serve }),
    // Left out where they change nothing: answers that were paid for before these keys existed are used again.
    ...(tokenLimitParameter !== 'auto' && { tokenLimitParameter }),
    ...(samplingParameters !== 'auto' && { samplingParameters }),
    ...(stop.length > 0 && { stop }),
    ...(Object.keys(logitBias).length > 0 && { logitBias }),
    ...(Object.keys(extraBody).length > 0 && { extraBody }),
  };
}

/** The way of encoding images: other bytes for the same file are another version. */
const imageEncoding = 2;

/** How the teacher is shown images, as far as answers depend on it; undefined where it is shown none. */
export function shownImages(config: Config): Record<string, unknown> | undefined {
  const { data, teacher } = config;
  return showsImages(config) ? { encoding: imageEncoding, exif: data.exif, ...teacher.images } : undefined;
}

/** How dataset versions name who wrote their samples. */
export function teacherName(context: TeacherContext): string {
  return teacherOf(context).provider.author ?? context.config.teacher.model;
}

/** What a token of the config's teacher costs; undefined without a price, and for a teacher that is free. */
export async function paidPrice(context: TeacherContext): Promise<TokenPrice | undefined> {
  const { provider, mode, settings } = teacherOf(context);
  return provider.isPaid ? mode.price(settings) : undefined;
}

/** What its tokens cost, and for a teacher that is free what they count for a budget, where there is one. */
export async function countedPrice(context: TeacherContext): Promise<TokenPrice | undefined> {
  const { mode, settings } = teacherOf(context);
  return limitedBudget(settings) ? mode.price(settings) : paidPrice(context);
}

/** @throws InputError when a budget is set for a model without a price */
export async function refuseUnknownPrice(context: TeacherContext): Promise<void> {
  const { mode, settings } = teacherOf(context);
  if (!limitedBudget(settings) || (await mode.price(settings))) return;
  throw new InputError({
    file: settings.prices,
    field: `models.${settings.model}`,
    problem: 'is missing, and a budget needs the price of the model',
    remedy: 'Add what the model costs per million tokens, or leave teacher.budget out',
  });
}

/** The teacher's replies about written answers, in the run's folder; all rounds share it. */
const repliesFile = 'extracted-choices.jsonl';
/** A reply is one letter. */
const maximumReplyTokens = 16;

/** What finds the choices of written answers: the teacher's model, or only `rules`. */
export function extractorOf(context: TeacherContext): string {
  return teacherOf(context).provider.answersAnyPrompt ? context.config.teacher.model : 'rules';
}

/** Has the teacher find the choices that the rules can't; undefined for a teacher that answers no such prompt. */
export function settleUnclearOf(context: StepContext): SettleUnclear | undefined {
  if (!teacherOf(context).provider.answersAnyPrompt) return undefined;
  const messages = (prompt: string): ChatMessage[] => [{ role: 'user', content: prompt }];
  return (unclear) =>
    withTeacher(
      context,
      (ask) =>
        extractWithTeacher(unclear, {
          ask: async (prompt) => {
            const options = { temperature: 0, maximumTokens: maximumReplyTokens, signal: context.signal };
            return (await ask(messages(prompt), options)).text;
          },
          file: join(context.run.root, repliesFile),
          concurrency: context.config.teacher.concurrency,
        }),
      {
        purpose: 'extraction',
        planned: () =>
          planRequests(
            unclear.map((answer) => messages(extractionPrompt(answer))),
            { likely: 1, most: maximumReplyTokens },
          ),
      },
    );
}
