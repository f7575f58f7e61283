/**
 * `dataengine watch`: a screen on a terminal, plain lines elsewhere, or JSON lines for programs.
 */

import type { Client } from '@temporalio/client';
import { createLogUpdate } from 'log-update';
import { printableTexts } from '../../src/core/printable.ts';
import type { DataEngineResult } from '../../workflows/messages.ts';
import { createProgressDisplay } from '../progress-display.ts';
import type { TextStream } from '../say.ts';
import { usesColor } from '../text-table.ts';
import { followRun } from './follow.ts';
import { createLineRenderer } from './lines.ts';
import type { RunView } from './run-view.ts';
import { renderRun } from './screen.ts';

export type WatchForm = 'screen' | 'lines' | 'json';

export interface WatchOptions {
  form: WatchForm;
  signal?: AbortSignal;
  /** The workers were just started together with the run, so a queue that nobody polls yet is no news. */
  ownsWorkers?: boolean;
  /** Default: standard output for JSON, otherwise standard error, which leaves the other to results. */
  output?: TextStream;
}

const usualColumns = 80;

/** A screen where there is one to draw on. */
export function watchForm({ json }: { json: boolean }): WatchForm {
  if (json) return 'json';
  return process.stderr.isTTY && process.env.TERM !== 'dumb' ? 'screen' : 'lines';
}

/**
 * Follows a run until it ends and returns its result.
 *
 * @throws WorkflowFailedError when it fails; WorkflowNotFoundError when there is none
 * @throws the signal's reason when aborted; the workflow continues
 */
export async function watch(client: Client, workflowId: string, options: WatchOptions): Promise<DataEngineResult> {
  const { form, signal, output, ownsWorkers = false } = options;
  const renderer = renderers[form](output ?? (form === 'json' ? process.stdout : process.stderr));
  try {
    // Names, notes and errors of a run may come from anybody who may start one.
    const show = (view: RunView | undefined) =>
      renderer.show(printableTexts(view && ownsWorkers ? { ...view, unattended: [] } : view));
    await followRun(client, workflowId, show, signal);
  } finally {
    renderer.stop();
  }
  return client.workflow.getHandle(workflowId).result();
}

interface Renderer {
  /** Undefined: the server does not answer. */
  show(view: RunView | undefined): void;
  stop(): void;
}

const renderers: Record<WatchForm, (stream: TextStream) => Renderer> = {
  screen(stream) {
    const draw = createLogUpdate(stream);
    const color = usesColor(stream);
    let last = '';
    return {
      show(view) {
        if (view !== undefined) last = renderRun(view, { color, columns: stream.columns ?? usualColumns });
        draw(view === undefined ? `${last}\nThe Temporal server does not answer; waiting for it.` : last);
      },
      stop: () => draw.done(),
    };
  },
  lines(stream) {
    const display = createProgressDisplay(stream);
    return { show: createLineRenderer(display, stream.columns), stop: () => display.stop() };
  },
  // One line a change; that the server does not answer is a change too.
  json(stream) {
    let last = '';
    return {
      show(view) {
        const line = JSON.stringify(view ?? { answers: false });
        if (line === last) return;
        last = line;
        stream.write(`${line}\n`);
      },
      stop: () => undefined,
    };
  },
};
