/**
 * One round: generate data against the last good round's weaknesses, train on all of it, measure, and decide whether it
 * is built upon.
 */
import type { OutcomeOf, StepName } from '../src/round/steps.ts';
import { parseInput, type RoundInput, type RoundSummary, roundInputSchema } from './inputs.ts';
import { MessageHandlers } from './message-handlers.ts';
import {
  approveTypesUpdate,
  decideRoundUpdate,
  type EndedEarly,
  roundProgressQuery,
  samplesReviewedUpdate,
} from './messages.ts';
import { RoundState } from './round-state.ts';
import { runRoundStep } from './round-steps.ts';
import { reportTeacherSignal, steerSignal } from './steering-messages.ts';
import { untilEnd } from './until-end.ts';

/** Runs the steps of a round in order. Round 0 trains and measures only; later rounds first make the data to train on. */
export async function dataEngineRound(input: RoundInput): Promise<RoundSummary | EndedEarly> {
  const messages = new MessageHandlers();
  const state = new RoundState(parseInput(roundInputSchema, input), messages);
  handleMessages(state, messages);
  return untilEnd(
    () => runSteps(state),
    (end) => state.showEnd(end),
  );
}

function handleMessages(state: RoundState, messages: MessageHandlers): void {
  messages.query(roundProgressQuery, () => state.progress);
  messages.signal(steerSignal, (steer) => state.steer(steer));
  messages.signal(
    reportTeacherSignal,
    (report) => state.takeTeacherReport(report),
    (report) => state.problemWithTeacherReport(report),
  );
  messages.update(
    decideRoundUpdate,
    (decision) => state.decide(decision),
    () => state.checkDecision(),
  );
  messages.update(
    approveTypesUpdate,
    (approval) => state.types.approve(approval),
    () => state.types.check(),
  );
  messages.update(
    samplesReviewedUpdate,
    () => state.takeReview(),
    () => state.checkReview(),
  );
  messages.refuseOtherSignals();
}

async function runSteps(state: RoundState): Promise<RoundSummary | EndedEarly> {
  const { round } = state.reference;
  const step = <Name extends StepName>(name: Name) => runRoundStep(state, name);
  const endEarly = (endedEarly: string) => ({ round, endedEarly });

  if (round > 0) {
    if (round === 1) await step('embed');
    const { requests } = await step('sample');
    if (requests === 0) return endEarly('no bad case is left to learn from, or no image to ask about');
    const { answers } = await step('generate');
    if (state.plan.verifies) await step('verify');
    const { accepted } = await step('refine');
    if (accepted === 0) return endEarly(`none of the teacher's ${answers} answers is fit to learn from`);
    if (state.plan.selects) {
      const selected = await step('select');
      if (selected.accepted === 0) return endEarly(`none of the ${accepted} samples is as difficult as wanted`);
    }
    const { samplesAdded } = await step('append');
    if (samplesAdded === 0) return endEarly('all samples were rejected in their review');
  }
  await step('finetune');
  await step('merge');
  if (state.plan.checksServing) await step('check-serving');
  const scores = await step('evaluate');
  if (state.plan.discovery !== undefined) await step('discover');
  const badCases = await step('classify');
  const decision = await step('gate');
  return summarize(state, scores, badCases, decision);
}

function summarize(
  { reference, outcomes, seconds }: RoundState,
  scores: OutcomeOf<'evaluate'>,
  { badCases, errorByType }: OutcomeOf<'classify'>,
  { seconds: _, reused: __, ...gate }: OutcomeOf<'gate'>,
): RoundSummary {
  const { generate, verify, refine, select, append } = outcomes;
  return {
    round: reference.round,
    measure: scores.measure,
    multipleChoice: scores.multipleChoice,
    directAnswer: scores.directAnswer,
    testMultipleChoice: scores.testMultipleChoice,
    testDirectAnswer: scores.testDirectAnswer,
    badCases,
    errorByType,
    gate,
    samplesAdded: append?.samplesAdded ?? 0,
    samplesRejected: (refine?.rejected ?? 0) + (select?.rejected ?? 0),
    datasetVersion: append?.version,
    teacherTokens: {
      prompt: (generate?.promptTokens ?? 0) + (verify?.promptTokens ?? 0) + (scores.judging?.promptTokens ?? 0),
      completion:
        (generate?.completionTokens ?? 0) + (verify?.completionTokens ?? 0) + (scores.judging?.completionTokens ?? 0),
    },
    seconds,
  };
}
