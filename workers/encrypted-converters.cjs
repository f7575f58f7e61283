/**
 * The converter of failures of workers and clients with a payload key. The SDK loads this file by its path, into the sandbox
 * of workflows too.
 *
 * Messages and stacks of errors, and of all their causes, become a payload, which the codec then encrypts. Types of
 * errors stay readable. The SDK's own `encodeCommonAttributes` changes the failure that an error came from, so that an error
 * that is converted twice loses its message, and leaves out causes that came in the clear.
 */
const { DefaultFailureConverter } = require('@temporalio/common');

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
