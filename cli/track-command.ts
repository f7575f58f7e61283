/** `dataengine track`: sends the figures of a run to the tracker of its config, such as after it could not be reached. */
import type { Command } from 'commander';
import { InputError } from '../src/core/input-error.ts';
import { addRunOptions } from './options.ts';
import { namedRun } from './prune-command.ts';
import { tell } from './say.ts';

/** Adds `dataengine track`. */
export function addTrackCommand(program: Command, signal: AbortSignal): void {
  addRunOptions(
    program
      .command('track')
      .argument('<config-or-run>', 'YAML config, folder of a run, or s3://bucket/prefix/runs/<run>')
      .description('send the figures of finished rounds to the tracker of the config (tracking)'),
    "run of a config (default: the config's, or its file name)",
  )
    .addHelpText('after', '\nExample:\n  dataengine track runs/nightly')
    .action(async (named: string, options: { run?: string; dataRoot?: string }) => {
      const { withNamedRun } = await import('../src/round/named-run.ts');
      const { track } = await import('../src/round/tracking/track.ts');
      const { extensions } = await import('../workers/extensions.ts');
      await withNamedRun(await namedRun(named, options), { signal, extensions }, async (open, given) => {
        const config = { ...open.config, tracking: given?.tracking ?? open.config.tracking };
        const outcome = await track({ ...open, config, round: 0, onProgress: () => undefined });
        if (outcome === undefined) throw noTracker(named);
        const { rounds, to } = outcome;
        const what = rounds.length === 0 ? 'nothing new' : `rounds ${rounds.join(', ')}`;
        tell(`${to}: ${what}`);
      });
    });
}

function noTracker(file: string): InputError {
  return new InputError({
    file,
    field: 'tracking',
    problem: 'is missing, so there is no tracker to send figures to',
    remedy: 'Add the section to a config, and name the config here',
  });
}
