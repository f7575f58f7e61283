/**
 * The payload converter of all workers and clients. The SDK loads this file by its path, into the sandbox of workflows too.
 *
 * An error of a converter fails the workflow's task, which the server repeats without end; so whoever may start, signal or
 * update a workflow could stop it for good by a payload that nobody can read. Here such a payload becomes a value that throws
 * when it is looked at: the schema of a message refuses it, and what awaits it as a result fails.
 */
const { ApplicationFailure, CompositePayloadConverter, defaultPayloadConverter } = require('@temporalio/common');

/** The encoding of what the codec puts in the place of a damaged payload. */
exports.damagedEncoding = 'binary/damaged';

const changed =
  'A payload was changed after it was encrypted, or its key has the id of another key here. Send it again; compare the keys';

function unreadable(problem) {
  const fail = () => {
    throw ApplicationFailure.nonRetryable(problem, 'InputError');
  };
  return new Proxy({}, { get: fail, has: fail, ownKeys: fail, getPrototypeOf: fail, getOwnPropertyDescriptor: fail });
}

const damaged = {
  encodingType: exports.damagedEncoding,
  toPayload: () => undefined,
  fromPayload: () => unreadable(changed),
};

class LenientPayloadConverter extends CompositePayloadConverter {
  fromPayload(payload, context, hint) {
    try {
      return super.fromPayload(payload, context, hint);
    } catch (error) {
      const why = error instanceof Error ? error.message.slice(0, 200) : 'no reason given';
      return unreadable(`A payload can't be read (${why}). Send it as JSON, in the encoding json/plain`);
    }
  }
}

exports.payloadConverter = new LenientPayloadConverter(...defaultPayloadConverter.converters, damaged);
