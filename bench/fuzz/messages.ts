/** Messages to workflows, and payloads of any encoding: what whoever may start, signal or update a workflow can send. */
import { defaultPayloadConverter, type Payload } from '@temporalio/common';
import fc from 'fast-check';
import type { z } from 'zod';
import { parsePayloadKeys, payloadConverterOf } from '../../workers/payload-codec.ts';
import { payloadConverter } from '../../workers/payload-converter.cjs';
import { problemOf } from '../../workflows/message.ts';
import * as messages from '../../workflows/messages.ts';
import * as promptMessages from '../../workflows/prompt-messages.ts';
import * as steeringMessages from '../../workflows/steering-messages.ts';
import { damagedJson, hostileJson } from './arbitraries.ts';
import { type FuzzTarget, fuzzTarget } from './target.ts';

interface Message {
  type: 'update' | 'signal' | 'query';
  name: string;
  description: string;
  input: z.ZodType;
}

/** Schemas, which stand beside messages, have a type and a description too. */
function isMessage(value: unknown): value is Message {
  return typeof value === 'object' && value !== null && 'name' in value && 'input' in value;
}

/** Every message that a workflow of ours takes. */
export const allMessages: readonly Message[] = Object.values({
  ...messages,
  ...promptMessages,
  ...steeringMessages,
} as Record<string, unknown>).filter(isMessage);

/** What each takes; a message that is not here takes nothing. */
const examples: Readonly<Record<string, object>> = {
  pause: { reason: 'look first' },
  retryStep: { step: 'merge' },
  skipStep: { step: 'report' },
  giveUp: { step: 'merge' },
  addRounds: { more: 2 },
  join: { config: 'configs/demo.yaml', run: 'demo', seed: 1, rounds: 2, samplingStrategy: 'uniform' },
  decideRound: { decision: 'accept', comment: 'good' },
  approveTypes: {
    types: [{ name: 'counting', title: 'Counting', explanation: 'How many there are.' }],
    comment: 'good',
  },
  topUp: { amount: 5 },
  verdict: { sample: 's0', verdict: 'bad', comment: 'too long' },
  decide: { action: 'revise', comment: 'shorter' },
  steer: { paused: { reason: 'x' }, answer: 'retry' },
  reportRound: {
    round: 1,
    execution: 'x',
    step: 'merge',
    waiting: { round: 1, step: 'merge', problem: 'the disk is full', skip: 'step' },
    asks: 'decision',
    teacher: 'it does not answer',
  },
  reportTeacher: { chunk: 3, execution: 'x', problem: 'it does not answer' },
};

type Sent = { message: number; given: unknown[] };

/** A refusal is one sentence, which says what was wrong. */
function checkProblem(problem: string | undefined, what: string): void {
  if (problem === undefined) return;
  const isSentence = problem.length > 5 && problem.length < 2000 && problem.includes(': ');
  if (!isSentence) throw new Error(`${what} is refused with ${JSON.stringify(problem)}`);
}

const messageTarget = fuzzTarget<Sent>('input-messages', async () => {
  for (const message of allMessages) {
    const example = examples[message.name];
    const problem = problemOf(message, example === undefined ? [] : [example]);
    if (problem !== undefined) throw new Error(`the example of ${message.name} is refused: ${problem}`);
  }
  return {
    input: fc.nat(allMessages.length - 1).chain((message) => {
      const example = examples[allMessages[message]?.name ?? ''] ?? {};
      const one = fc.oneof({ weight: 6, arbitrary: damagedJson(example) }, { weight: 1, arbitrary: hostileJson });
      return fc
        .oneof(
          { weight: 8, arbitrary: one.map((value) => [value]) },
          { weight: 1, arbitrary: fc.constantFrom<unknown[]>([], [undefined], [null], [null, null]) },
          { weight: 1, arbitrary: fc.array(hostileJson, { maxLength: 3 }) },
        )
        .map((given) => ({ message, given }));
    }),
    async take({ message: index, given }) {
      const message = allMessages[index] as Message;
      const before = JSON.stringify(given);
      const problem = problemOf(message, given);
      checkProblem(problem, message.name);
      if (problem === undefined && given.length > 1) throw new Error(`${message.name} takes ${given.length} inputs`);
      if (JSON.stringify(given) !== before) throw new Error('the check has changed the input');
    },
  };
});

const encodings = [
  'json/plain',
  'binary/null',
  'binary/plain',
  'binary/encrypted',
  'json/protobuf',
  'binary/damaged',
  '',
];

type Sending = { message: number; payload: Payload };

const payloadTarget = fuzzTarget<Sending>('input-payloads', async () => {
  const { payloadCodecs: [codec] = [] } = payloadConverterOf(
    parsePayloadKeys(`k1:${Buffer.alloc(32, 7).toString('base64')}`, 'keys'),
  );
  if (codec === undefined) throw new Error('there is no codec');
  const [encrypted] = await codec.encode([defaultPayloadConverter.toPayload({ reason: 'x' })]);
  const bytes = (text: string) => new Uint8Array(Buffer.from(text));
  const field = fc.oneof(
    fc.constantFrom(...encodings).map(bytes),
    fc.uint8Array({ maxLength: 20 }),
    fc.string({ maxLength: 20 }).map(bytes),
  );
  const data = fc.oneof(
    fc.uint8Array({ maxLength: 60 }),
    hostileJson.map((value) => bytes(JSON.stringify(value) ?? '')),
    fc.nat(encrypted?.data?.length ?? 0).map((end) => (encrypted?.data ?? bytes('')).slice(0, end)),
    fc.constantFrom(undefined, null),
  );
  const metadata = fc.oneof(
    { weight: 6, arbitrary: fc.record({ encoding: field }) },
    { weight: 3, arbitrary: fc.record({ encoding: fc.constant(bytes('binary/encrypted')) }) },
    {
      weight: 3,
      arbitrary: fc.record({
        encoding: fc.constant(bytes('binary/encrypted')),
        'encryption-key-id': fc.constantFrom(bytes('k1'), bytes('')),
      }),
    },
    { weight: 1, arbitrary: fc.constantFrom(undefined, null, {}) },
  );
  return {
    input: fc.record({
      message: fc.nat(allMessages.length - 1),
      payload: fc.record({ metadata, data }) as fc.Arbitrary<Payload>,
    }),
    async take({ message: index, payload }) {
      // As a worker takes it: the codec, then the converter, then the schema. Neither of the first two may throw.
      const [decoded] = await codec.decode([payload]);
      const value: unknown = payloadConverter.fromPayload(decoded as Payload);
      const message = allMessages[index] as Message;
      checkProblem(problemOf(message, [value]), message.name);
    },
  };
});

export const messageTargets: readonly FuzzTarget[] = [messageTarget, payloadTarget];
