import { describe, test, vi } from 'vitest';
import { recorded } from '../../helpers/trainer-curves.ts';
import { isSetUp, TORCH_TIMEOUTS } from './torch-jobs.ts';
import { expectCurve } from './trainer-curves.ts';
import { expectEarlyStop, expectSameBytes } from './validation-loss.ts';

vi.setConfig(TORCH_TIMEOUTS);

const [first, ...others] = recorded.curves.filter(({ validation }) => validation === undefined);
const byPart = others.filter(({ job }) => job.learningRate.byPart !== undefined);

describe.skipIf(!isSetUp(undefined))("transformers.Trainer's losses, learning rates and norms", () => {
  test.each(others)('$name', (curve) => expectCurve(curve, { processes: 1 }));
});

describe.each((['fsdp', 'deepspeed'] as const).filter(isSetUp))('the same, sharded by %s', (sharding) => {
  test.each([...(first ? [first] : []), ...byPart])('$name', (curve) => expectCurve(curve, { processes: 2, sharding }));

  test('validation losses, early stop and the adapter that is kept', () => expectEarlyStop({ processes: 2, sharding }));

  test('killed before its early stop, it resumes to the same bytes', () => expectSameBytes({ processes: 2, sharding }));
});
