/**
 * Shows the progress of the running step: a bar on a terminal, a line every 15 seconds elsewhere.
 */
import { SingleBar } from 'cli-progress';
import { formatSeconds } from '../src/core/durations.ts';
import type { Progress } from '../src/trainer/protocol.ts';
import { say, type TextStream } from './say.ts';

export interface ProgressDisplay {
  /** Shows a step's progress; a new title starts a new bar. */
  show(title: string, progress: Partial<Progress>): void;
  /** Prints a line above the bar. */
  log(line: string): void;
  stop(): void;
}

const plainLineEverySeconds = 15;

/** A display for the given stream. Default: standard error, so that results can be piped. */
export function createProgressDisplay(stream: TextStream = process.stderr): ProgressDisplay {
  return stream.isTTY && process.env.TERM !== 'dumb' ? createBars(stream) : createPlainLines(stream);
}

/** What the numbers beside a bar take, at most: the rest of the line is for title and bar. */
const numbersWidth = ' 100 % loss 0.123, 12345 tokens/s, 59 min 59 s left'.length;
const [shortestBar, longestBar] = [4, 24];

function createBars(stream: TextStream): ProgressDisplay {
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
          barsize: Math.min(
            longestBar,
            Math.max(shortestBar, (stream.columns ?? 80) - title.length - numbersWidth - 1),
          ),
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
      say(line, stream);
    },
    stop,
  };
}

function createPlainLines(stream: NodeJS.WritableStream): ProgressDisplay {
  let shownTitle = '';
  let shownLine = '';
  let shownAt = 0;
  return {
    show(title, progress) {
      const now = Date.now();
      if (title === shownTitle && now - shownAt < plainLineEverySeconds * 1000) return;
      const steps = progress.steps === undefined ? '' : ` ${progress.step ?? 0}/${progress.steps}`;
      const line = `${title}${steps} ${describeNumbers(progress)}`.trimEnd();
      if (line === shownLine) return;
      shownTitle = title;
      shownLine = line;
      shownAt = now;
      stream.write(`${line}\n`);
    },
    log: (line) => void stream.write(`${line}\n`),
    stop: () => undefined,
  };
}

/** `loss 1.234, 5100 tokens/s, 1 min 42 s left` */
export function describeNumbers({ phase, loss, tokensPerSecond, etaSeconds }: Partial<Progress>): string {
  const parts: string[] = [];
  if (phase !== undefined) parts.push(phase);
  if (loss !== undefined) parts.push(`loss ${loss.toFixed(3)}`);
  if (tokensPerSecond !== undefined) parts.push(`${Math.round(tokensPerSecond)} tokens/s`);
  if (etaSeconds !== undefined) parts.push(`${formatSeconds(etaSeconds)} left`);
  return parts.join(', ');
}
