/**
 * The handlers of a workflow's messages. Each message is checked by its schema before anything is done with it: a wrong update
 * or query is refused in words. Nobody can be told that a signal is wrong, and an error in its handler would end the workflow:
 * such a signal is logged, counted and shown in the details, and changes nothing.
 */
import {
  ApplicationFailure,
  log,
  metricMeter,
  setCurrentDetails,
  setDefaultSignalHandler,
  setHandler,
} from '@temporalio/workflow';
import type { z } from 'zod';
import { codeSpan, plainText } from './markdown.ts';
import { problemOf, type Query, type Signal, type Update } from './message.ts';

/** Refuses an update with these words. */
export function refuse(words: string): never {
  throw ApplicationFailure.nonRetryable(words);
}

/** Signals have any names: no more of them are kept. */
const keptNames = 5;
const shownCharacters = 100;

export class MessageHandlers {
  private readonly updates = new Set<string>();
  /** Name → how many were refused, and why the last one was. */
  private readonly refused = new Map<string, { count: number; problem: string }>();
  private refusedCount = 0;
  private details = '';

  query<Out extends z.ZodType>(query: Query<Out>, answer: () => z.output<Out>): void {
    const handler = (...given: unknown[]) => {
      const problem = problemOf(query, given);
      if (problem !== undefined) refuse(problem);
      return answer();
    };
    setHandler(query, handler as never, { description: query.description });
  }

  /**
   * @param check throws where what the schema takes can't be done now
   */
  update<In extends z.ZodType, Out extends z.ZodType>(
    update: Update<In, Out>,
    take: (given: z.output<In>) => z.output<Out> | Promise<z.output<Out>>,
    check: (given: z.output<In>) => void = () => undefined,
  ): void {
    this.updates.add(update.name);
    const handler = (...given: unknown[]) => take(given[0] as z.output<In>);
    const validator = (...given: unknown[]) => {
      const problem = problemOf(update, given);
      if (problem !== undefined) refuse(problem);
      check(given[0] as z.output<In>);
    };
    setHandler(update, handler as never, { description: update.description, validator } as never);
  }

  /** @param problemWith why one that the schema takes is refused, if it is */
  signal<In extends z.ZodType>(
    signal: Signal<In>,
    take: (given: z.output<In>) => void | Promise<void>,
    problemWith: (given: z.output<In>) => string | undefined = () => undefined,
  ): void {
    const handler = (...given: unknown[]) => {
      const problem = problemOf(signal, given) ?? problemWith(given[0] as z.output<In>);
      if (problem === undefined) return take(given[0] as z.output<In>);
      this.refuseSignal(signal.name, problem);
    };
    setHandler(signal, handler as never, { description: signal.description });
  }

  /** Call it last: it takes the signals that came before and have no handler. */
  refuseOtherSignals(): void {
    setDefaultSignalHandler((name) => {
      const update = this.updates.has(name);
      this.refuseSignal(name, update ? `${name} is an update, not a signal` : 'no such signal');
    });
  }

  /** Shows the workflow's details, and below them which signals were refused. */
  show(details: string): void {
    this.details = details;
    setCurrentDetails(details + this.describeRefused());
  }

  private refuseSignal(given: string, problem: string): void {
    const name = given.slice(0, shownCharacters);
    this.refusedCount += 1;
    const known = this.refused.get(name);
    if (known !== undefined || this.refused.size < keptNames)
      this.refused.set(name, { count: (known?.count ?? 0) + 1, problem: problem.slice(0, shownCharacters * 2) });
    log.warn('a signal was refused, and changes nothing', { signal: name, problem });
    metricMeter.createCounter('dataengine_refused_signals', '', 'Signals that changed nothing').add(1);
    this.show(this.details);
  }

  private describeRefused(): string {
    if (this.refusedCount === 0) return '';
    const listed = [...this.refused].map(
      ([name, { count, problem }]) => `${codeSpan(name)}${count > 1 ? ` (${count} times)` : ''}: ${plainText(problem)}`,
    );
    const counted = [...this.refused.values()].reduce((sum, { count }) => sum + count, 0);
    const others = this.refusedCount - counted;
    const lines = [...listed, ...(others > 0 ? [`${others} more with other names`] : [])].map((line) => `- ${line}`);
    return [
      '',
      '',
      `**Signals that were refused, and changed nothing: ${this.refusedCount}.** Send updates instead: \`temporal workflow update execute\`.`,
      ...lines,
    ].join('\n');
  }
}
