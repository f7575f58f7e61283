/**
 * `discover`: question types by the teacher, as a step without Temporal. `approve-types`: a person's approval, on Temporal.
 */
import { type Command, InvalidArgumentError } from 'commander';
import { rowOf } from '../src/round/steps.ts';
import type { TypesApproval } from '../workflows/messages.ts';
import { roundWorkflow } from './gate-commands.ts';
import { addConfigOptions, type ConfigOptions, integer } from './options.ts';
import { addTakeoverOption, type TakeoverOption } from './own-run.ts';
import { tell } from './say.ts';
import { runStepCommand } from './step-commands.ts';
import { update, withClient } from './temporal-client.ts';

interface ApprovalOptions {
  types?: string;
  comment?: string;
}

type DiscoverOptions = ConfigOptions & ApprovalOptions & TakeoverOption & { round: number; approve?: boolean };

/** Adds `dataengine discover` and `dataengine approve-types`. */
export function addDiscoverCommands(program: Command, signal: AbortSignal): void {
  addTakeoverOption(addConfigOptions(program.command('discover').description(rowOf('discover').description)))
    .option('--round <number>', 'round', integer(0), 0)
    .option('--yes', 'agree to what the teacher will cost, without being asked', false)
    .option('--approve', 'with questionTypes.approve: manual: the types may be used')
    .option('--types <file>', 'with --approve: these, instead of those that the run has proposed')
    .option('--comment <text>', 'with --approve: why; kept with the approval')
    .addHelpText('after', '\nExample:\n  dataengine discover --config configs/demo.yaml --round 0')
    .action((options: DiscoverOptions) => discover(options, signal));
  program
    .command('approve-types <workflow-id>')
    .description('let a round that waits use its discovered question types, as edited in the run or from a file')
    .option('--types <file>', "these types, instead of those in the run's folder")
    .option('--comment <text>', 'why; kept with the approval')
    .addHelpText(
      'after',
      '\nExample:\n  dataengine approve-types tuesday\n  dataengine approve-types tuesday/round-0 --types my-types.yaml',
    )
    .action((workflowId: string, options: ApprovalOptions) => approveTypes(workflowId, options));
}

async function discover(options: DiscoverOptions, signal: AbortSignal): Promise<void> {
  const { approve = false } = options;
  if (!approve && (options.types !== undefined || options.comment !== undefined)) {
    throw new InvalidArgumentError('--types and --comment go with --approve.');
  }
  const given = approve ? { by: 'person' as const, ...(await readApproval(options)) } : undefined;
  const load = async () => {
    const step = await import('../src/round/discover/discover.ts');
    return (context: Parameters<typeof step.discover>[0]) => step.discover(context, given);
  };
  await runStepCommand('discover', load, options, signal);
}

async function approveTypes(workflowId: string, options: ApprovalOptions): Promise<void> {
  const approval = await readApproval(options);
  await withClient(async (client) => {
    const roundId = await roundWorkflow(client, workflowId);
    const { round, types } = await update<{ round: number; types: number }>(client, roundId, 'approveTypes', approval);
    tell(`Round ${round} uses ${types} question types`);
  });
}

/** @throws InputError naming the field of the file that does not fit */
async function readApproval({ types, comment }: ApprovalOptions): Promise<TypesApproval> {
  const { readQuestionTypes } = await import('../src/generation/question-types.ts');
  return {
    ...(types !== undefined && { types: await readQuestionTypes(types) }),
    ...(comment !== undefined && { comment }),
  };
}
