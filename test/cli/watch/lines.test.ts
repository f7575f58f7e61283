import { expect, test } from 'vitest';
import { createLineRenderer } from '../../../cli/watch/lines.ts';
import type { ActivityView, RunView } from '../../../cli/watch/run-view.ts';

/** The lines and titles that a renderer gives for views, one after the other. */
function render(...views: (Partial<RunView> | undefined)[]): string[] {
  const lines: string[] = [];
  const show = createLineRenderer({
    log: (line) => void lines.push(line),
    show: (title, { step, steps }) => void lines.push(steps === undefined ? title : `${title} ${step}/${steps}`),
    stop: () => undefined,
  });
  for (const view of views) show(view && { workflowId: 'tuesday', status: 'RUNNING', ...nothing, ...view });
  return lines;
}

const nothing = { rounds: [], steps: [], activities: [] };

const finetune = (details: ActivityView['details'], rest: Partial<ActivityView> = {}): ActivityView => ({
  id: '3',
  name: 'finetune',
  attempt: 1,
  paused: false,
  details,
  ...rest,
});

test('a step that is done is a line, once', () => {
  const view: Partial<RunView> = {
    round: 1,
    steps: [
      { name: 'sample', state: 'done', seconds: 2, note: '600 requests' },
      { name: 'generate', state: 'running' },
    ],
  };
  expect(render(view, view)).toEqual(['round 1 sample             2 s  600 requests']);
});

test('the activities under way show their progress, and why they are retried', () => {
  expect(
    render(
      { activities: [finetune({ round: 1, step: 5, steps: 20 })] },
      { activities: [finetune(undefined, { attempt: 2, lastFailure: 'the GPU is lost' })] },
    ),
  ).toEqual(['round 1 finetune 5/20', '  finetune is retried after: the GPU is lost', 'finetune (attempt 2)']);
});

test('shards that have not started yet do not hide those that have', () => {
  const waiting = finetune(undefined, { name: 'evaluate' });
  const running = finetune({ round: 0, step: 1, steps: 9 }, { name: 'evaluate' });
  expect(render({ activities: [waiting, running, waiting] })).toEqual(['round 0 evaluate 1/9']);
});

test('a generation is shown as a whole, and asks for a top-up once for each limit', () => {
  const generation = (limit: number): RunView['generation'] => ({
    ...{ workflowId: 'tuesday/round-1/generation', step: 'generate', round: 1, state: 'waiting for a top-up' },
    ...{ requests: 8, answered: 3, underWay: 0, spent: limit, reserved: 0, limit, currency: 'USD' },
  });
  const lines = render({ generation: generation(1) }, { generation: generation(1) }, { generation: generation(2) });
  expect(lines.filter((line) => line.startsWith('round'))).toEqual(Array(3).fill('round 1 generate 3/8'));
  expect(lines.filter((line) => line.startsWith('  the budget'))).toEqual([
    '  the budget of 1 USD is used up: `dataengine top-up tuesday/round-1/generation AMOUNT` or `dataengine finish-early tuesday/round-1/generation`',
    expect.stringContaining('budget of 2 USD'),
  ]);
});

test('what waits for a person is said with the command that answers', () => {
  const progress = { round: 1, roundWorkflowId: 'tuesday/round-1' };
  expect(
    render(
      { progress: { ...progress, paused: { reason: 'the GPU is needed' } } },
      { progress },
      { progress: { ...progress, waiting: { step: 'report', problem: 'no font', skip: 'step' } } },
      { progress, round: 1, steps: [{ name: 'gate', state: 'waiting' }] },
      { progress, round: 1, steps: [{ name: 'discover', state: 'waiting' }] },
    ),
  ).toEqual([
    '  paused: the GPU is needed; `dataengine resume tuesday` resumes it',
    '  resumed',
    '  the step report failed and waits for `dataengine retry-step|skip-step|give-up tuesday`: no font',
    '  round 1 waits for a decision: `dataengine approve tuesday/round-1`, with --reject to set it aside',
    '  round 1 waits for the approval of its question types: `dataengine approve-types tuesday/round-1`',
  ]);
});

test('a server that does not answer is said once', () => {
  expect(render(undefined, undefined)).toEqual(['The Temporal server does not answer; waiting for it.']);
});
