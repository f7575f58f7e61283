import { expect, test } from 'vitest';
import { childEnvironment } from '../../src/core/child-environment.ts';

test('a child that computes gets what it needs, and no secret', () => {
  const needed = {
    PATH: '/bin',
    HOME: '/home/a',
    LC_ALL: 'C',
    CUDA_VISIBLE_DEVICES: '0',
    NCCL_DEBUG: 'INFO',
    TF_CPP_MIN_LOG_LEVEL: '2',
    OMP_NUM_THREADS: '2',
    TOKENIZERS_PARALLELISM: 'false',
    DATAENGINE_IMAGE_CACHE: 'off',
    PYTORCH_CUDA_ALLOC_CONF: 'x',
  };
  const others = {
    OPENAI_API_KEY: 'sk-1',
    TEACHER_AUTH: 'x',
    AWS_SECRET_ACCESS_KEY: 'x',
    AWS_SESSION_TOKEN: 'x',
    TEMPORAL_API_KEY: 'x',
    HF_TOKEN: 'x',
    DATAENGINE_PAYLOAD_KEY: 'x',
    DATAENGINE_PAYLOAD_KEY_FILE: 'x',
    DATABASE_PASSWORD: 'x',
    SLACK_WEBHOOK: 'x',
    MY_OWN_VARIABLE: 'x',
    HTTPS_PROXY: 'http://user:password@proxy',
  };
  expect(childEnvironment({}, { ...needed, ...others })).toEqual(needed);
  const own = { MALLOC_ARENA_MAX: '1', PATH: '/other' };
  expect(childEnvironment(own, { PATH: '/bin' })).toEqual(own);
});
