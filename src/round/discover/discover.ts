/**
 * The step `discover`: the teacher proposes question types from right and wrong answers, a person may edit them, and every
 * question is sorted into them. Later rounds add types for bad cases that fit none.
 */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { stringify } from 'yaml';
import { z } from 'zod';
import { openJsonLines } from '../../core/append-json-lines.ts';
import { InputError } from '../../core/input-error.ts';
import { type Manifest, runStepOnce } from '../../core/manifest.ts';
import { readJsonLines } from '../../core/read-json.ts';
import { countBy } from '../../core/records.ts';
import { seededRandom } from '../../core/seeded-random.ts';
import { writeFileAtomically, writeJson } from '../../core/write-file.ts';
import { type EvaluatedQuestion, isRight } from '../../evaluation/bad-cases.ts';
import { typeAgreement } from '../../evaluation/type-agreement.ts';
import {
  type AskForTypes,
  discoverPlaceholders,
  discoverTypes,
  keyOfRequest,
  mergePlaceholders,
  refuseNoTypes,
} from '../../generation/discover-types.ts';
import { otherType, type QuestionType } from '../../generation/question-type.ts';
import { readQuestionTypes } from '../../generation/question-types.ts';
import { askAll } from '../../teacher/ask-with-retries.ts';
import { type PromptTemplate, readPromptTemplate } from '../../teacher/prompt-template.ts';
import { configuredSplits } from '../dataset-paths.ts';
import { confirmOtherRequests } from '../estimate-requests.ts';
import { joinShards } from '../evaluate/evaluate.ts';
import { readAnswers } from '../evaluate/results.ts';
import { finishedStep } from '../finished-step.ts';
import { readLoopQuestions } from '../loop-questions.ts';
import { agreementFile, sortIntoTypes, sortWith } from '../question-types.ts';
import { outcomeOf, type StepContext } from '../step-context.ts';
import { stepDirectory } from '../step-directory.ts';
import { type AskTeacher, teacherIdentity, withTeacher } from '../teacher.ts';
import type { PlannedRequests } from '../teacher-price.ts';
import { planDiscovery } from './plan-discovery.ts';
import type { DiscoverOutcome } from './results.ts';
import {
  approveTypeList,
  isApproved,
  offerTypeList,
  readTypeLists,
  type TypeList,
  type TypesApproval,
  typeListFile,
} from './type-lists.ts';

/** Must be raised whenever the same answers lead to other requests for types. */
const discoveryVersion = 1;

const proposalFile = 'proposed.yaml';
/** The teacher's replies, in the run's folder: nothing is asked twice, also when a step is done anew. */
const repliesFile = 'question_types_proposed.jsonl';
const attempts = 3;

const promptOf = (name: string) => fileURLToPath(new URL(`../../../configs/prompts/${name}`, import.meta.url));

/**
 * Proposes types, and sorts the validation and test questions by those that are approved. Then the evaluation is joined again,
 * so that its records have their types.
 *
 * @param given approves the round's types where `questionTypes.approve` is `manual`
 * @returns with `waits` when a person must approve the types first
 * @throws InputError when types are not to be discovered, or the round is not evaluated yet
 */
export async function discover(context: StepContext, given?: TypesApproval): Promise<DiscoverOutcome> {
  const { config, run, round } = context;
  requireDiscovery(context);
  const evaluated = await finishedStep(run, round, 'evaluate');
  const answers = await readAnswers(evaluated.directory);
  const before = await listsBefore(context);
  const kinds = given === undefined ? (['discovery', 'sorting'] as const) : (['sorting'] as const);
  const agreed = await confirmOtherRequests(context, kinds);
  const done = await propose(agreed, answers, before);
  const { proposed = 0 } = done.manifest.metrics;

  if (proposed > 0) {
    await offerProposal(context, done.manifest);
    const approval = given ?? (config.questionTypes.approve === 'automatic' ? { by: 'policy' as const } : undefined);
    const isDone = await isApproved(run, round);
    if (approval !== undefined && (given !== undefined || !isDone)) await approveTypeList(run, round, approval);
    if (approval === undefined && !isDone) {
      const { length: types } = await readQuestionTypes(typeListFile(run, round));
      return { ...outcomeOf(done), types, proposed, waits: true, file: typeListFile(run, round) };
    }
  }
  const lists = await readTypeLists(run, round);
  const kappa = await sortAll(agreed, lists, { twice: proposed > 0 });
  await joinShards(agreed);
  return {
    ...outcomeOf(done),
    types: lists.at(-1)?.types.length ?? 0,
    proposed,
    waits: false,
    ...(proposed > 0 && { file: typeListFile(run, round) }),
    ...(kappa !== undefined && { kappa }),
  };
}

/** Records a person's approval of a round's types, or that nobody answered in time. @throws InputError for a wrong list */
export async function approveTypes({ run, round }: StepContext, given: TypesApproval): Promise<{ types: number }> {
  return { types: (await approveTypeList(run, round, given)).length };
}

function requireDiscovery({ config, run }: StepContext): void {
  if (config.questionTypes.source === 'discover') return;
  throw new InputError({
    file: join(run.root, 'config.json'),
    field: 'questionTypes.source',
    problem: `is ${config.questionTypes.source}: the types are known`,
    remedy: 'Start a run with questionTypes.source: discover',
  });
}

async function listsBefore({ run, round }: StepContext): Promise<TypeList[]> {
  if (round === 0) return [];
  const lists = await readTypeLists(run, round - 1);
  if (lists.length > 0) return lists;
  throw new InputError({
    file: typeListFile(run, 0),
    problem: 'round 0 has no approved question types',
    remedy: 'Run `dataengine discover --round 0` with the same config first',
  });
}

async function propose(context: StepContext, answers: readonly EvaluatedQuestion[], before: readonly TypeList[]) {
  const { config, run, round } = context;
  const { maximum, questions: most, batchSize, newTypeFrom } = config.questionTypes;
  const prompts = {
    discover: await readPromptTemplate(promptOf('discover-types-v1.md'), discoverPlaceholders),
    merge: await readPromptTemplate(promptOf('merge-types-v1.md'), mergePlaceholders),
  };
  const known = before.at(-1)?.types ?? [];
  // Those of a later round are the bad cases that fit no type so far.
  const unsorted = round === 0 ? answers : await badCasesWithoutType(context, answers, before);
  const isEnough = round === 0 || (newTypeFrom !== 'off' && unsorted.length >= newTypeFrom);
  const read = isEnough ? chooseAnswers(unsorted, most, `${config.seed}/round-${round}`) : [];
  const directory = stepDirectory(run, round, 'discover');
  return runStepOnce({
    directory,
    step: 'discover',
    inputs: {
      version: discoveryVersion,
      prompts: [prompts.discover.hash, prompts.merge.hash],
      answers: read.map((answer) => ({ id: answer.question_id, ...textOf(answer) })),
      known,
      settings: { maximum, batchSize, newTypeFrom },
      teacher: read.length > 0 ? teacherIdentity(config.teacher) : undefined,
    },
    work: async () => {
      if (read.length === 0) return { outputs: [], metrics: { proposed: 0 } };
      const questions = read.map(textOf);
      const planned = () => planDiscovery(prompts, config.questionTypes, questions, known);
      const found = await withProposals(context, { ...prompts.discover, planned }, (ask) =>
        discoverTypes({
          questions,
          known,
          maximum,
          batchSize,
          prompts,
          ask,
          mapAll: (items, work) => mapAll(items, config.teacher.concurrency, work),
        }),
      );
      if (round === 0 && found.length === 0) refuseNoTypes(1);
      const fitting = round === 0 ? found : await typesOfClusters(context, read, known, found);
      if (fitting.length === 0) return { outputs: [], metrics: { proposed: 0 } };
      const list = [...[...known, ...fitting].filter(({ name }) => name !== otherType.name), otherOf(known)];
      await writeFileAtomically(join(directory, proposalFile), stringify(list));
      return { outputs: [proposalFile], metrics: { proposed: fitting.length } };
    },
  });
}

/** A person may have changed its explanation. */
function otherOf(known: readonly QuestionType[]): QuestionType {
  return known.find(({ name }) => name === otherType.name) ?? otherType;
}

async function badCasesWithoutType(
  context: StepContext,
  answers: readonly EvaluatedQuestion[],
  before: readonly TypeList[],
): Promise<EvaluatedQuestion[]> {
  const wrong = answers.filter((answer) => !isRight(answer));
  const types = await sortIntoTypes(context, wrong, before);
  return wrong.filter(({ question_id }) => types.get(question_id) === otherType.name);
}

/** The new types that enough of the bad cases belong to: others would be noise. */
async function typesOfClusters(
  context: StepContext,
  badCases: readonly EvaluatedQuestion[],
  known: readonly QuestionType[],
  found: readonly QuestionType[],
): Promise<QuestionType[]> {
  const { newTypeFrom } = context.config.questionTypes;
  const sorted = await sortWith(context, badCases, [...found, otherOf(known)]);
  const sizes = countBy([...sorted.values()], (type) => type);
  return found.filter(({ name }) => newTypeFrom !== 'off' && (sizes[name] ?? 0) >= newTypeFrom);
}

async function offerProposal({ run, round }: StepContext, { outputs }: Manifest): Promise<void> {
  const types = await readQuestionTypes(join(stepDirectory(run, round, 'discover'), proposalFile));
  await offerTypeList(run, round, { types, proposal: outputs[proposalFile] ?? '' });
}

/** Half of them wrong ones where there are enough, in an order of the seed: a batch has questions of all kinds. */
function chooseAnswers(answers: readonly EvaluatedQuestion[], most: number, seed: string): EvaluatedQuestion[] {
  const random = seededRandom(seed).fork('discover');
  const mixed = random.shuffle(answers);
  if (mixed.length <= most) return mixed;
  const wrong = mixed.filter((answer) => !isRight(answer));
  const right = mixed.filter(isRight);
  const ofWrong = Math.min(wrong.length, Math.max(Math.ceil(most / 2), most - right.length));
  return random.shuffle([...wrong.slice(0, ofWrong), ...right.slice(0, most - ofWrong)]);
}

function textOf(answer: EvaluatedQuestion) {
  const { question, choices, correct_choice_idx: correct, direct_answers, model_answer } = answer;
  return {
    question,
    rightAnswer: choices[correct ?? -1] ?? direct_answers[0] ?? '',
    modelAnswer: model_answer,
    isRight: isRight(answer),
  };
}

const keptSchema = z.object({ key: z.string(), reply: z.string() });

/** Gives the work a teacher that is asked for types, each request once. Replies that can't be read are asked for again. */
async function withProposals<R>(
  context: StepContext,
  { temperature, maximumTokens, planned }: PromptTemplate & { planned: () => PlannedRequests },
  work: (ask: AskForTypes) => Promise<R>,
): Promise<R> {
  const { config, run, signal } = context;
  const file = join(run.root, repliesFile);
  const replies = await openJsonLines(file);
  try {
    const kept = new Map((await readJsonLines(file, keptSchema)).map(({ key, reply }) => [key, reply]));
    return await withTeacher(
      context,
      (askTeacher: AskTeacher) =>
        work(async (messages, { format, read }) => {
          const key = keyOfRequest(messages, teacherIdentity(config.teacher));
          const earlier = read(kept.get(key) ?? '');
          if (earlier !== undefined) return earlier;
          for (let attempt = 0; attempt < attempts; attempt += 1) {
            signal.throwIfAborted();
            const { text } = await askTeacher(messages, {
              signal,
              seed: config.seed + attempt,
              temperature,
              maximumTokens,
              format: config.teacher.answerFormat === 'structured' ? format : undefined,
              asForSamples: true,
            });
            const found = read(text);
            if (found === undefined) continue;
            await replies.append({ key, reply: text });
            return found;
          }
          return refuseNoTypes(attempts);
        }),
      { purpose: 'question-types', planned },
    );
  } finally {
    await replies.close();
  }
}

async function mapAll<Item, Result>(
  items: readonly Item[],
  concurrency: number,
  work: (item: Item) => Promise<Result>,
): Promise<Result[]> {
  const results: Result[] = [];
  await askAll(items, concurrency, async (item, index) => {
    results[index] = await work(item);
  });
  return results;
}

/**
 * Sorts all questions of the loop, so that joining the evaluation asks nothing. Where types are new, the validation questions
 * are sorted a second time, in another order and with another seed.
 *
 * @returns how far the two agree
 */
async function sortAll(
  context: StepContext,
  lists: readonly TypeList[],
  { twice }: { twice: boolean },
): Promise<number | undefined> {
  for (const split of configuredSplits(context.config)) {
    await sortIntoTypes(context, await readLoopQuestions(context, split), lists);
  }
  if (!twice) return undefined;
  const questions = await readLoopQuestions(context, 'validation');
  const first = await sortIntoTypes(context, questions, lists);
  const second = await sortIntoTypes(context, questions, lists, 'second');
  const agreement = typeAgreement(first, second);
  await writeJson(join(context.run.root, agreementFile), { ...agreement, of: 'sortings' });
  return agreement.kappa;
}
