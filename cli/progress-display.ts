/**
 * Shows the progress of the running step: a bar on a terminal, a line every 15 seconds elsewhere.
 */
import { SingleBar } from 'cli-progress';
import type { Progress } from '../src/trainer/protocol.ts';

export type OutputStream = NodeJS.WritableStream & { isTTY?: boolean };

export interface ProgressDisplay {
  /** Shows a step's progress; a new title starts a new bar. */
  show(title: string, progress: Partial<Progress>): void;
  /** Prints a line above the bar. */
  log(line: string): void;
  stop(): void;
}

const plainLineEverySeconds = 15;

/** A display for the given stream. Default: standard error, so that results can be piped. */
export function createProgressDisplay(stream: OutputStream = process.stderr): ProgressDisplay {
  return stream.isTTY ? createBars(stream) : createPlainLines(stream);
}

function createBars(stream: OutputStream): ProgressDisplay {
  let bar: SingleBar | undefined;
  let shownTitle = '';
  const stop = () => {
    bar?.stop();
    bar = undefined;
    shownTitle = '';
  };
  return {
    show(title, progress) {
      if (title !== shownTitle) {
        stop();
        bar = new SingleBar({
          format: '{title} {bar} {percentage} % {numbers}',
          barsize: 24,
          hideCursor: true,
          clearOnComplete: true,
          stopOnComplete: false,
          linewrap: false,
          stream,
        });
        bar.start(progress.steps ?? 1, 0, { title, numbers: '' });
        shownTitle = title;
      }
      bar?.setTotal(Math.max(1, progress.steps ?? 1));
      bar?.update(progress.step ?? 0, { title, numbers: describeNumbers(progress) });
    },
    log(line) {
      stop();
      stream.write(`${line}\n`);
    },
    stop,
  };
}

function createPlainLines(stream: NodeJS.WritableStream): ProgressDisplay {
  let shownTitle = '';
  let shownAt = 0;
  return {
    show(title, progress) {
      const now = Date.now();
      if (title === shownTitle && now - shownAt < plainLineEverySeconds * 1000) return;
      shownTitle = title;
      shownAt = now;
      const steps = progress.steps === undefined ? '' : ` ${progress.step ?? 0}/${progress.steps}`;
      stream.write(`${title}${steps} ${describeNumbers(progress)}`.trimEnd().concat('\n'));
    },
    log: (line) => void stream.write(`${line}\n`),
    stop: () => undefined,
  };
}

/** `loss 1.234, 5100 tokens/s, 42 s left` */
export function describeNumbers({ phase, loss, tokensPerSecond, etaSeconds }: Partial<Progress>): string {
  const parts: string[] = [];
  if (phase !== undefined) parts.push(phase);
  if (loss !== undefined) parts.push(`loss ${loss.toFixed(3)}`);
  if (tokensPerSecond !== undefined) parts.push(`${Math.round(tokensPerSecond)} tokens/s`);
  if (etaSeconds !== undefined) parts.push(`${Math.round(etaSeconds)} s left`);
  return parts.join(', ');
}
