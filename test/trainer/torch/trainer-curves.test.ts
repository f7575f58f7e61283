import { describe, test, vi } from 'vitest';
import { recorded } from '../../helpers/trainer-curves.ts';
import { TORCH_TIMEOUTS, torchIsSetUp } from './torch-jobs.ts';
import { expectCurve } from './trainer-curves.ts';
import { expectEarlyStop, expectSameBytes } from './validation-loss.ts';

vi.setConfig(TORCH_TIMEOUTS);

// The others: trainer-curves.long.test.ts.
describe.skipIf(!torchIsSetUp)("over two processes, transformers.Trainer's losses, learning rates and norms", () => {
  test.each(recorded.curves.slice(0, 1))('$name', (curve) => expectCurve(curve, { processes: 2 }));

  test('validation losses, early stop and the adapter that is kept', () => expectEarlyStop({ processes: 2 }));

  test('killed before its early stop, it resumes to the same bytes', () => expectSameBytes({ processes: 2 }));
});
