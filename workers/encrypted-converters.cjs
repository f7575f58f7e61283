/**
 * The converters of workers and clients with a payload key. The SDK loads this file by its path, into the sandbox of
 * workflows too.
 *
 * Failures: messages and stacks of errors, and of all their causes, become a payload, which the codec then encrypts. Types of
 * errors stay readable. The SDK's own `encodeCommonAttributes` changes the failure that an error came from, so that an error
 * that is converted twice loses its message, and leaves out causes that came in the clear.
 *
 * Payloads: the SDK's own, and one for payloads that the codec found damaged.
 */
const { ApplicationFailure, CompositePayloadConverter, DefaultFailureConverter } = require('@temporalio/common');
const { defaultPayloadConverter } = require('@temporalio/common');

/** By it a worker knows a bundle that holds this file. */
exports.bundleMark = 'dataengine: converters of a payload key';

const hiddenMessage = 'Encoded failure';
const plain = new DefaultFailureConverter();

function hide(failure, payloadConverter, context) {
  const cause = failure.cause && hide(failure.cause, payloadConverter, context);
  if (failure.encodedAttributes && failure.message === hiddenMessage) return { ...failure, cause };
  const { message, stackTrace } = failure;
  const encodedAttributes = payloadConverter.toPayload({ message, stack_trace: stackTrace }, context);
  return { ...failure, message: hiddenMessage, stackTrace: '', encodedAttributes, cause };
}

exports.failureConverter = {
  failureToError: (failure, payloadConverter, context) => plain.failureToError(failure, payloadConverter, context),
  errorToFailure: (error, payloadConverter, context) =>
    hide(plain.errorToFailure(error, payloadConverter, context), payloadConverter, context),
};

/** The encoding of what the codec puts in the place of a damaged payload. */
exports.damagedEncoding = 'binary/damaged';

const damagedMessage =
  'A payload was changed after it was encrypted, or its key has the id of another key here. Send it again; compare the keys';

/**
 * A value that throws when it is looked at. An error of the converter itself would fail the workflow's task, which the server
 * repeats without end; this one fails the workflow, or what awaits the value.
 */
function damagedValue() {
  const fail = () => {
    throw ApplicationFailure.nonRetryable(damagedMessage, 'InputError');
  };
  return new Proxy({}, { get: fail, has: fail, ownKeys: fail, getPrototypeOf: fail, getOwnPropertyDescriptor: fail });
}

const damaged = { encodingType: exports.damagedEncoding, toPayload: () => undefined, fromPayload: damagedValue };

exports.payloadConverter = new CompositePayloadConverter(...defaultPayloadConverter.converters, damaged);
