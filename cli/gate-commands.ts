/**
 * `gate`: decides whether a round is built upon, as a step without Temporal. `approve`: a person's decision, on Temporal.
 */
import type { Client } from '@temporalio/client';
import { type Command, InvalidArgumentError } from 'commander';
import type { Verdict } from '../src/round/gate/gate.ts';
import type { RoundDecision } from '../workflows/messages.ts';
import { addConfigOptions, type ConfigOptions, integer } from './options.ts';
import { addTakeoverOption, type TakeoverOption } from './own-run.ts';
import { tell } from './say.ts';
import { runStepCommand } from './step-commands.ts';
import { ask, update, withClient } from './temporal-client.ts';

type GateOptions = ConfigOptions &
  TakeoverOption & { round: number; accept?: boolean; reject?: boolean; comment?: string };

/** Adds `dataengine gate` and `dataengine approve`. */
export function addGateCommands(program: Command, signal: AbortSignal): void {
  const command = program
    .command('gate')
    .description("compare a round's model with that of the last good round, and decide whether it is built upon");
  addTakeoverOption(addConfigOptions(command))
    .option('--round <number>', 'round', integer(0), 0)
    .option('--accept', 'with gate.policy approve: build upon it')
    .option('--reject', 'with gate.policy approve: set it aside')
    .option('--comment <text>', 'why')
    .addHelpText('after', '\nExample:\n  dataengine gate --config configs/demo.yaml --round 1')
    .action((options: GateOptions) => {
      const verdict = verdictOf(options);
      const load = async () => {
        const { gate } = await import('../src/round/gate/gate.ts');
        return (context: Parameters<typeof gate>[0]) => gate(context, verdict);
      };
      return runStepCommand('gate', load, options, signal);
    });
  program
    .command('approve <workflow-id>')
    .description('accept a round that waits for a decision, or set it aside with --reject')
    .option('--reject', 'set the round aside', false)
    .option('--comment <text>', 'why; kept with the decision')
    .addHelpText('after', '\nExample:\n  dataengine approve tuesday/round-1\n  dataengine approve tuesday --reject')
    .action((workflowId: string, options: { reject: boolean; comment?: string }) => approve(workflowId, options));
}

function verdictOf({ accept, reject, comment }: GateOptions): Verdict | undefined {
  if (accept && reject) throw new InvalidArgumentError('Give --accept or --reject, not both.');
  if (!accept && !reject) return undefined;
  return { decision: accept ? 'accept' : 'reject', by: 'person', comment };
}

async function approve(workflowId: string, { reject, comment }: { reject: boolean; comment?: string }): Promise<void> {
  await withClient(async (client) => {
    const verdict: RoundDecision = { decision: reject ? 'reject' : 'accept', comment };
    const roundId = await roundWorkflow(client, workflowId);
    const round = await update<{ round: number }>(client, roundId, 'decideRound', verdict);
    tell(`Round ${round.round} is ${reject ? 'set aside' : 'accepted'}`);
  });
}

/** The id of the round under way, by that of its run; a round's own id is returned as it is. */
export async function roundWorkflow(client: Client, workflowId: string): Promise<string> {
  const progress = await ask<{ roundWorkflowId?: string }>(client, workflowId, 'progress');
  return progress.roundWorkflowId ?? workflowId;
}
