/**
 * How a person steers a run. All updates go to the workflow `dataEngine`, which passes them on to its round: one workflow
 * id is all that is needed.
 */
import { z } from 'zod';
import { dataEngineInputSchema, pauseSchema } from './inputs.ts';
import { describedSignal, describedUpdate, nothing } from './message.ts';
import { dataEngineProgressSchema, questionSchema, waitingStepSchema } from './messages.ts';

const maxReasonLength = 500;
const maxAddedRounds = 1000;

/** A person's answer for a failed step. */
export type Answer = z.output<typeof answerSchema>;
const answerSchema = z.enum(['retry', 'skip', 'giveUp']);

/** The step that the person means; without it, whichever step waits. */
export type StepChoice = z.output<typeof stepChoiceSchema>;
const stepChoiceSchema = z.strictObject({ step: z.string().max(100).optional() });

const reasonProblem = `a text of at most ${maxReasonLength} characters`;
const reason = z.string({ error: reasonProblem }).max(maxReasonLength, reasonProblem).optional();

export const pauseUpdate = describedUpdate('pause', {
  description:
    'No further step starts, and no further chunk of requests to the teacher; what is under way is finished.',
  input: z.strictObject({ reason }).optional(),
  output: dataEngineProgressSchema,
});
export const resumeUpdate = describedUpdate('resume', {
  description: 'A paused run continues.',
  input: nothing,
  output: dataEngineProgressSchema,
});
export const retryStepUpdate = describedUpdate('retryStep', {
  description: 'The failed step runs again, with all its retries.',
  input: stepChoiceSchema.optional(),
  output: waitingStepSchema,
});
export const skipStepUpdate = describedUpdate('skipStep', {
  description: 'The failed step is skipped. Taken for the report only.',
  input: stepChoiceSchema.optional(),
  output: waitingStepSchema,
});
export const giveUpUpdate = describedUpdate('giveUp', {
  description: 'The run fails, with the error of the step.',
  input: stepChoiceSchema.optional(),
  output: waitingStepSchema,
});

const moreProblem = `a whole number from 1 to ${maxAddedRounds}`;
export const addRoundsUpdate = describedUpdate('addRounds', {
  description: 'Adds rounds to those it was started with. Returns how many there will be after round 0.',
  input: z.strictObject({
    more: z.int({ error: moreProblem }).min(1, moreProblem).max(maxAddedRounds, moreProblem),
  }),
  output: z.object({ rounds: z.int() }),
});
export const joinUpdate = describedUpdate('join', {
  description: 'Sent with the start of a run: answered by a run that is under way, if its input is the same.',
  input: dataEngineInputSchema.omit({ state: true }),
  output: dataEngineProgressSchema,
});

/** From `dataEngine` to `dataEngineRound`, and from `dataEngineRound` to `dataEngineGeneration`. */
export type Steer = z.output<typeof steerSchema>;
export const steerSchema = z.object({
  /** Null: resume. */
  paused: pauseSchema.nullable().optional(),
  answer: answerSchema.optional(),
});
export const steerSignal = describedSignal('steer', {
  description:
    'From a workflow to its child: the run is paused or resumed, or a person has answered for a failed step.',
  input: steerSchema,
});

const problemSchema = z.string().max(1000);

/**
 * From an activity to the workflow that asks the teacher, and from that one to its round: the teacher gives no answers, or does
 * again.
 */
export type TeacherReport = z.output<typeof teacherReportSchema>;
const teacherReportSchema = z.object({
  /** From an activity: the chunk that is tried. */
  chunk: z.int().nonnegative().optional(),
  /** From a workflow: the id of its first execution. */
  execution: z.string().optional(),
  /** Absent: it answers again. */
  problem: problemSchema.optional(),
});
export const reportTeacherSignal = describedSignal('reportTeacher', {
  description: 'From those who ask the teacher: it gives no answers and is still tried, or it answers again.',
  input: teacherReportSchema,
});

/** From `dataEngineRound` to `dataEngine`: that it waits for a person, a worker or the teacher, or no longer does. */
export type RoundReport = z.output<typeof roundReportSchema>;
const roundReportSchema = z.object({
  round: z.int().nonnegative(),
  /** The id of the round's first execution. */
  execution: z.string(),
  step: z.string().max(100),
  /** The step has failed. */
  waiting: waitingStepSchema.optional(),
  asks: questionSchema.optional(),
  /** A queue that no worker polls. */
  unattended: z.string().max(1000).optional(),
  /** Why the teacher gives no answers. */
  teacher: problemSchema.optional(),
});
export const reportRoundSignal = describedSignal('reportRound', {
  description: 'From a round to its run: it waits for a person, a worker or the teacher, or no longer does.',
  input: roundReportSchema,
});
