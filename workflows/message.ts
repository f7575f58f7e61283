/**
 * What a message to a workflow is: its name, one schema for what it is given and one for what it answers, and what it is for,
 * as Temporal's UI shows it.
 */
import type { QueryDefinition, SignalDefinition, UpdateDefinition } from '@temporalio/common';
import { defineQuery, defineSignal, defineUpdate } from '@temporalio/workflow';
import { z } from 'zod';
import { cut, describeFirstIssue } from '../src/core/input-error.ts';

/** The input of a message that takes none. */
export const nothing = z.undefined({ error: 'takes no input' });

interface About<In extends z.ZodType> {
  description: string;
  /** Changes nothing of what it takes, so that a history replays whatever was checked when it was written. */
  input: In;
}

interface Answered<In extends z.ZodType, Out extends z.ZodType> extends About<In> {
  output: Out;
}

/** The arguments of a message: none, one, or one that may be left out. */
type Given<In extends z.ZodType> = [z.output<In>] extends [undefined]
  ? []
  : undefined extends z.output<In>
    ? [z.output<In>?]
    : [z.output<In>];

export type Update<In extends z.ZodType, Out extends z.ZodType> = UpdateDefinition<z.output<Out>, Given<In>> &
  Answered<In, Out>;
export type Query<Out extends z.ZodType> = QueryDefinition<z.output<Out>, []> & Answered<typeof nothing, Out>;
export type Signal<In extends z.ZodType> = SignalDefinition<Given<In>> & About<In>;

export function describedUpdate<In extends z.ZodType, Out extends z.ZodType>(
  name: string,
  about: Answered<In, Out>,
): Update<In, Out> {
  return Object.assign(defineUpdate<z.output<Out>, Given<In>>(name), about);
}

export function describedQuery<Out extends z.ZodType>(
  name: string,
  about: Omit<Answered<typeof nothing, Out>, 'input'>,
): Query<Out> {
  return Object.assign(defineQuery<z.output<Out>, []>(name), { ...about, input: nothing });
}

export function describedSignal<In extends z.ZodType>(name: string, about: About<In>): Signal<In> {
  return Object.assign(defineSignal<Given<In>>(name), about);
}

/** What is wrong with what a message was given; undefined: nothing. */
export function problemOf(
  { name, input }: { name: string; input: z.ZodType },
  given: readonly unknown[],
): string | undefined {
  if (given.length > 1) return `${name}: takes one input, and was given ${given.length}`;
  try {
    const parsed = input.safeParse(given[0]);
    if (parsed.success) return undefined;
    const { field, problem } = describeFirstIssue(parsed.error);
    return cut(`${field === '' ? name : field}: ${problem}`);
  } catch (error) {
    // A payload that can't be decoded says so when it is looked at.
    return cut(`${name}: ${error instanceof Error ? error.message : String(error)}`);
  }
}
