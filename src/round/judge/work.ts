/**
 * Where the requests to judge answers are, and how they are put to the teacher.
 */
import { join } from 'node:path';
import type { Config } from '../../config/schema.ts';
import { projectFile } from '../../core/files.ts';
import { InputError } from '../../core/input-error.ts';
import { joinInside } from '../../core/inside.ts';
import type { QuestionSettings } from '../../evaluation/benchmarks/index.ts';
import {
  type JudgeRequest,
  judgeFormat,
  judgeMessages,
  judgePlaceholders,
  judgeRequest,
  readJudgedScore,
} from '../../evaluation/judge/judge-requests.ts';
import { type LabelledAnswer, readLabelledAnswers } from '../../evaluation/judge/labelled-answers.ts';
import { type PromptTemplate, readPromptTemplate } from '../../teacher/prompt-template.ts';
import type { RequestForm } from '../../teacher/request-asker.ts';
import { type KeptPlace, keptWork } from '../asking/kept-answers.ts';
import { ledgerSource, type TeacherWork } from '../asking/work.ts';
import { configuredSets, type EvaluationSet } from '../evaluation-sets.ts';
import type { StepContext } from '../step-context.ts';
import { stepDirectory } from '../step-directory.ts';
import { judgeCallsName } from '../store-rules.ts';
import { withoutStops } from '../teacher.ts';

const usualRubric = projectFile('configs/prompts/judge-v1.md');
const usualChecks = 100;

/** Whether the teacher judges the written answers to a set's questions. */
export function isJudged({ questions }: Pick<EvaluationSet, 'questions'>): boolean {
  return questions?.metric === 'judge';
}

/** Whether rounds have answers that the teacher judges. */
export function judges(config: Config): boolean {
  return configuredSets(config).some(isJudged);
}

/** What judging a set takes, besides the answers. */
export interface JudgeTools {
  rubric: PromptTemplate;
  labelled: LabelledAnswer[];
  checks: number;
}

/** @throws InputError for a rubric or a file of labelled answers that is none */
export async function judgeTools(root: string, { judge }: QuestionSettings): Promise<JudgeTools> {
  const { rubric = usualRubric, labelled, checks = usualChecks } = judge ?? {};
  return {
    rubric: await readPromptTemplate(rubric, judgePlaceholders),
    labelled: labelled === undefined ? [] : await readLabelledAnswers(joinInside(root, labelled)),
    checks,
  };
}

/** Where a round's requests are. All rounds of a run share the answers: the same answer is judged once. */
export function judgePlace({ run, round }: Pick<StepContext, 'run' | 'round'>): KeptPlace {
  return { run, directory: stepDirectory(run, round, 'judge'), calls: join(run.root, judgeCallsName) };
}

/** The requests without an answer. @throws InputError when they are not written yet */
export async function judgeWork(
  context: StepContext,
  place: KeptPlace = judgePlace(context),
): Promise<TeacherWork<JudgeRequest>> {
  const { list, ...files } = await keptWork(place);
  return {
    ...files,
    purpose: 'judge',
    schema: judgeRequest,
    ledgerSource: (chunk) => ledgerSource(context.round, `judge/${list}`, chunk),
    formOf: () => formOf(context),
  };
}

async function formOf(context: StepContext): Promise<RequestForm<JudgeRequest>> {
  const { teacher } = context.config;
  const rubricOf = await rubrics(context.config);
  return {
    storeAnswers: teacher.storeAnswers,
    settings: (request) => {
      const { temperature, maximumTokens } = rubricOf(request);
      const format = teacher.answerFormat === 'structured' ? judgeFormat : undefined;
      return { ...withoutStops(teacher), temperature, maximumTokens, format };
    },
    examples: () => 0,
    messages: (request) => judgeMessages(request, rubricOf(request)),
    isReadable: (text) => readJudgedScore(text) !== undefined,
  };
}

/** All rubrics of the config, by their hash. */
async function rubrics(config: Config): Promise<(request: Pick<JudgeRequest, 'rubric'>) => PromptTemplate> {
  const files = new Set(configuredSets(config).map(({ questions }) => questions?.judge?.rubric ?? usualRubric));
  const read = await Promise.all(
    [...files, usualRubric].map((file) => readPromptTemplate(file, judgePlaceholders).then((one) => ({ file, one }))),
  );
  return ({ rubric }) => {
    const found = read.find(({ one }) => one.hash === rubric)?.one;
    if (found !== undefined) return found;
    throw new InputError({
      file: read[0]?.file ?? usualRubric,
      problem: 'has changed since the answers were planned',
      remedy: 'Start the evaluation again',
    });
  };
}
