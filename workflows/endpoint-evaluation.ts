/** The evaluation of a server that answers elsewhere, by workers: one activity on the queue of the teacher asks all questions. */
import { workflowInfo } from '@temporalio/workflow';
import { teacherActivities } from './activity-options.ts';
import { type EndpointEvaluationInput, endpointEvaluationInputSchema } from './endpoint-input.ts';
import { parseInput } from './inputs.ts';
import { codeSpan } from './markdown.ts';
import { MessageHandlers } from './message-handlers.ts';
import type { EndpointEvaluation } from './messages.ts';

/** Has a worker ask a server the questions of a benchmark, and score its answers. */
export async function dataEngineEndpointEvaluation(given: EndpointEvaluationInput): Promise<EndpointEvaluation> {
  const { teacherQueue, ...input } = parseInput(endpointEvaluationInputSchema, given);
  const queue = teacherQueue ?? `${workflowInfo().taskQueue}-teacher`;
  const { endpoint, benchmark, tsv } = input;
  const messages = new MessageHandlers();
  messages.refuseOtherSignals();
  messages.show(`Asks ${codeSpan(endpoint)} the questions of ${codeSpan(tsv ?? benchmark ?? 'no benchmark')}`);
  return teacherActivities(queue, 'Ask the server, and score its answers').evaluateEndpoint(input);
}
