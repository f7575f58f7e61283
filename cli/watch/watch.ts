/**
 * `dataengine watch`: a screen on a terminal, plain lines elsewhere, or JSON lines for programs.
 */
import type { Client } from '@temporalio/client';
import { createLogUpdate } from 'log-update';
import type { DataEngineResult } from '../../workflows/messages.ts';
import { createProgressDisplay } from '../progress-display.ts';
import { watchRun } from '../watch-run.ts';
import { followRun } from './follow.ts';
import type { RunView } from './run-view.ts';
import { renderRun } from './screen.ts';

export type WatchForm = 'screen' | 'lines' | 'json';

export interface WatchOptions {
  form: WatchForm;
  signal?: AbortSignal;
  /** Of the screen and the JSON lines. Default: standard output. */
  output?: NodeJS.WriteStream;
}

/** A screen where there is one to draw on. */
export function watchForm({ json }: { json: boolean }): WatchForm {
  if (json) return 'json';
  return process.stderr.isTTY && process.env.TERM !== 'dumb' ? 'screen' : 'lines';
}

/**
 * Follows a run until it ends and returns its result.
 *
 * @throws WorkflowFailedError when it fails; WorkflowNotFoundError when there is none
 * @throws the signal's reason when aborted; the workflow goes on
 */
export async function watch(client: Client, workflowId: string, options: WatchOptions): Promise<DataEngineResult> {
  const { form, signal } = options;
  if (form === 'lines') return watchRun(client, workflowId, createProgressDisplay(), signal);
  if (form === 'json') await followRun(client, workflowId, jsonLines(options.output ?? process.stdout), signal);
  else await followOnScreen(client, workflowId, options);
  return client.workflow.getHandle(workflowId).result();
}

async function followOnScreen(client: Client, workflowId: string, { output, signal }: WatchOptions): Promise<void> {
  const stream = output ?? process.stderr;
  const draw = createLogUpdate(stream);
  const color = process.env.NO_COLOR === undefined;
  let last = '';
  try {
    await followRun(
      client,
      workflowId,
      (view) => {
        if (view !== undefined) last = renderRun(view, { color });
        draw(view === undefined ? `${last}\nThe Temporal server does not answer; waiting for it.` : last);
      },
      signal,
    );
  } finally {
    draw.done();
  }
}

/** One line a change; a server that is silent is a change too. */
function jsonLines(stream: NodeJS.WritableStream): (view: RunView | undefined) => void {
  let last = '';
  return (view) => {
    const line = JSON.stringify(view ?? { answers: false });
    if (line === last) return;
    last = line;
    stream.write(`${line}\n`);
  };
}
