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

const nothing: Pick<RunView, 'rounds' | 'steps' | 'activities' | 'unattended'> = {
  rounds: [],
  steps: [],
  activities: [],
  unattended: [],
};

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
  expect(render(view, view)).toEqual(['round 1 sample                2 s  600 requests']);
});

test('the activities under way show their progress, and why they are retried', () => {
  expect(
    render(
      { activities: [finetune({ round: 1, step: 5, steps: 20 })] },
      { activities: [finetune(undefined, { attempt: 2, lastFailure: 'the GPU is lost' })] },
    ),
  ).toEqual(['round 1 finetune 5/20', '  finetune is retried after: the GPU is lost', 'finetune (attempt 2)']);
});

test('a retry says when the next attempt starts', () => {
  const nextTryAt = new Date(Date.now() + 42_400).toISOString();
  const activities = [finetune(undefined, { attempt: 3, lastFailure: 'the GPU is lost', nextTryAt })];
  expect(render({ round: 0, activities })).toEqual([
    '  finetune is retried after: the GPU is lost; attempt 3 in 42 s',
    'round 0 finetune (attempt 3)',
  ]);
});

test('a queue without workers is said with the command that starts one, again when it is left again', () => {
  const unattended: RunView['unattended'] = [
    { kind: 'cpu', queue: 'data-engine' },
    { kind: 'gpu', queue: 'big' },
  ];
  expect(render({ unattended }, { unattended }, {}, { unattended: unattended.slice(1) })).toEqual([
    '  No worker polls the queue data-engine. Start one: dataengine worker cpu',
    '  No worker polls the queue big. Start one: dataengine worker gpu --task-queue big',
    '  No worker polls the queue big. Start one: dataengine worker gpu --task-queue big',
  ]);
});

test('the steps of the run itself have lines too, in their place', () => {
  const own = (round: number, name: string) => ({ round, name, state: 'done' as const, seconds: 1 });
  const progress = { state: 'running' as const, round: 0, ownSteps: [own(0, 'prepare-data'), own(0, 'report')] };
  const steps: RunView['steps'] = [{ name: 'gate', state: 'done', seconds: 0, note: 'accepted' }];
  expect(render({ progress, round: 0, steps })).toEqual([
    'round 0 prepare-data          1 s',
    'round 0 gate                  0 s  accepted',
    'round 0 report                1 s',
  ]);
});

test('on a terminal a long closing line is wrapped below its note', () => {
  const lines: string[] = [];
  const display = { log: (line: string) => void lines.push(line), show: () => undefined, stop: () => undefined };
  const note = 'accepted, +5.7 points against round 0; not worse than round 0';
  const view = { workflowId: 'x', status: 'RUNNING', ...nothing, round: 1 };
  createLineRenderer(display, 80)({ ...view, steps: [{ name: 'gate', state: 'done', seconds: 0, note }] });
  expect(lines).toEqual([
    'round 1 gate                  0 s  accepted, +5.7 points against round 0; not\n                                   worse than round 0',
  ]);
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
  const progress = { state: 'running' as const, round: 1, roundWorkflowId: 'tuesday/round-1' };
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
