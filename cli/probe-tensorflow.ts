/**
 * A program of `dataengine doctor`: computes one matrix product with native TensorFlow and reports where it ran.
 */
import { DATA_TYPE_CODES, nativeBinding } from '../src/model/ops/tensorflow.ts';

const binding = nativeBinding();
const left = binding.createTensor([1, 2], DATA_TYPE_CODES.float32, new Float32Array([1, 2]));
const right = binding.createTensor([2, 1], DATA_TYPE_CODES.float32, new Float32Array([3, 4]));
const transpose = ['transpose_a', 'transpose_b'].map((name) => ({ name, type: binding.TF_ATTR_BOOL, value: false }));
const attributes = [...transpose, { name: 'T', type: binding.TF_ATTR_TYPE, value: DATA_TYPE_CODES.float32 }];
const [output] = binding.executeOp('MatMul', attributes, [left, right], 1);
const product = output === undefined ? Number.NaN : binding.tensorDataSync(output.id)[0];
const gpu = binding.isUsingGpuDevice();
process.stdout.write(
  `${JSON.stringify({ version: binding.TF_Version, gpu, devices: gpu ? (process.env.CUDA_VISIBLE_DEVICES ?? 'all visible') : '', product })}\n`,
);
