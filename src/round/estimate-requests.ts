/** What a round asks the teacher besides new samples, and what that will take: counted from its prompts, nothing is sent. */
import { projectFile } from '../core/files.ts';
import { benchmarkOf } from '../evaluation/benchmarks/index.ts';
import { judgeMessages, planJudging } from '../evaluation/judge/judge-requests.ts';
import { type AnsweredQuestionText, discoverPlaceholders, mergePlaceholders } from '../generation/discover-types.ts';
import type { QuestionType } from '../generation/question-type.ts';
import { readQuestionTypes } from '../generation/question-types.ts';
import { costOf, readPrice, type TokenPrice } from '../teacher/prices.ts';
import { type ChatMessage, readPromptTemplate } from '../teacher/prompt-template.ts';
import { configuredSplits } from './dataset-paths.ts';
import { longestList, planDiscovery } from './discover/plan-discovery.ts';
import { questionTypesFile } from './discover/type-lists.ts';
import { evaluationSets, extractedImagesFolder, readEvaluationSet } from './evaluation-sets.ts';
import { isJudged, judgeTools } from './judge/work.ts';
import { type LoopQuestion, readLoopQuestions } from './loop-questions.ts';
import { knownQuestionTypes, planSorting } from './question-types.ts';
import type { StepContext } from './step-context.ts';
import { teacherOf } from './teacher.ts';
import { confirmPayment, type PlannedRequests, planRequests, teacherPrice } from './teacher-price.ts';

/** Requests of one kind. Those whose answers the run has already cost nothing, and are counted all the same. */
export interface OtherRequests {
  kind: 'classification' | 'discovery' | 'sorting' | 'judging';
  requests: number;
  promptTokens: number;
  /** Likely. */
  completionTokens: number;
  /** In the currency of the prices; 0 for a model without a price. */
  cost: number;
  /** If every answer were as long as allowed. */
  maximumCost: number;
}

const tokensOfJudgement = 40;

/**
 * Estimates the requests of a round besides those for new samples and their verification: question types before and after
 * round 0, judged answers in each.
 *
 * @throws InputError for questions or prompts that can't be read
 */
export async function estimateOtherRequests(context: StepContext): Promise<OtherRequests[]> {
  const { config, round } = context;
  const isDiscovered = config.questionTypes.source === 'discover';
  const found = [
    ...(round > 0 ? [] : isDiscovered ? await discovery(context) : [await classification(context)]),
    await judging(context),
  ];
  return found.filter(({ requests }) => requests > 0);
}

async function classification(context: StepContext): Promise<OtherRequests> {
  const { config, run, round } = context;
  const missing: LoopQuestion[][] = [];
  for (const split of configuredSplits(config)) {
    missing.push(knownQuestionTypes(await readLoopQuestions(context, split)).missing as LoopQuestion[]);
  }
  const isNone = missing.every(({ length }) => length === 0);
  const types = isNone ? [] : await readQuestionTypes(await questionTypesFile(config, run, round));
  return sorting(context, 'classification', missing, types);
}

/** Sorts questions into types, each list of them by itself. */
async function sorting(
  context: StepContext,
  kind: OtherRequests['kind'],
  lists: readonly (readonly LoopQuestion[])[],
  types: readonly QuestionType[],
): Promise<OtherRequests> {
  const template = await readPromptTemplate(projectFile('configs/prompts/classify-v1.md'), ['types', 'questions']);
  return counted(kind, planSorting(template, lists, types), await onlinePrice(context));
}

async function discovery(context: StepContext): Promise<OtherRequests[]> {
  const { config } = context;
  const { maximum, questions: most } = config.questionTypes;
  const prompts = {
    discover: await readPromptTemplate(projectFile('configs/prompts/discover-types-v1.md'), discoverPlaceholders),
    merge: await readPromptTemplate(projectFile('configs/prompts/merge-types-v1.md'), mergePlaceholders),
  };
  const validation = await readLoopQuestions(context, 'validation');
  const planned = planDiscovery(prompts, config.questionTypes, validation.slice(0, most).map(answered));
  const others = await Promise.all(
    configuredSplits(config)
      .filter((split) => split !== 'validation')
      .map((split) => readLoopQuestions(context, split)),
  );
  return [
    counted('discovery', planned, await onlinePrice(context)),
    // The validation questions twice.
    await sorting(context, 'sorting', [validation, validation, ...others], longestList(maximum)),
  ];
}

/**
 * Before a step's requests of these kinds to a teacher that is paid. Those that were answered before are counted too.
 *
 * @returns the context for the step's work: a person who has agreed to all of it is not asked for its parts
 */
export async function confirmOtherRequests(
  context: StepContext,
  kinds: readonly OtherRequests['kind'][],
): Promise<StepContext> {
  if (context.confirmCost === undefined || (await teacherPrice(context)) === undefined) return context;
  const asked = (await estimateOtherRequests(context)).filter(({ kind }) => kinds.includes(kind));
  if (asked.length === 0) return context;
  const sum = (of: (one: OtherRequests) => number) => asked.reduce((total, one) => total + of(one), 0);
  await confirmPayment(context, {
    requests: sum(({ requests }) => requests),
    likely: sum(({ cost }) => cost),
    most: sum(({ maximumCost }) => maximumCost),
  });
  return { ...context, confirmCost: undefined };
}

function answered({ question, choices = [] }: LoopQuestion): AnsweredQuestionText {
  const [rightAnswer = '', modelAnswer = rightAnswer] = choices;
  return { question, rightAnswer, modelAnswer, isRight: false };
}

async function judging(context: StepContext): Promise<OtherRequests> {
  const { config, run, round } = context;
  const { settings, mode } = teacherOf(context);
  // Sets may have answers in common, such as the labelled ones.
  const messages = new Map<string, ChatMessage[]>();
  let longest = 0;
  let number = 0;
  for (const set of evaluationSets(config, run).filter(isJudged)) {
    const { rubric, labelled, checks } = await judgeTools(config.data.root, set.questions ?? {});
    const questions = await readEvaluationSet(set, extractedImagesFolder(run));
    const { toJudge } = benchmarkOf(set.benchmark);
    const answers = questions.flatMap((question) => {
      const one = toJudge?.({ question, choice: undefined, losses: [], text: '' });
      number += 1;
      // Where nothing is known of an answer, it is taken to be as long as a right one, and like no other.
      return one === undefined ? [] : [{ ...one, answer: `${one.references[0]} ${number}` }];
    });
    const plan = planJudging({
      set: set.name,
      answers,
      // They are judged once.
      labelled: round === 0 ? labelled : [],
      checks,
      rubric,
      identity: {},
      seed: config.seed,
    });
    for (const request of plan.requests) messages.set(request.id, judgeMessages(request, rubric));
    longest = Math.max(longest, rubric.maximumTokens);
  }
  const planned = planRequests([...messages.values()], { likely: tokensOfJudgement, most: longest });
  return counted('judging', planned, await mode.price(settings));
}

/** Question types are asked for one by one, whatever `teacher.mode` says. */
function onlinePrice({ config }: StepContext): Promise<TokenPrice | undefined> {
  return readPrice(config.teacher.prices, config.teacher.model, 'online');
}

function counted(
  kind: OtherRequests['kind'],
  { requests, promptTokens, answerTokens: { likely, most } }: PlannedRequests,
  price: TokenPrice | undefined,
): OtherRequests {
  return {
    kind,
    requests,
    promptTokens,
    completionTokens: likely,
    cost: costOf(price, { promptTokens, completionTokens: likely }),
    maximumCost: costOf(price, { promptTokens, completionTokens: most }),
  };
}
