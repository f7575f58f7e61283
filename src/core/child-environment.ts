/** What programs that this one starts get of its environment. */
import { looksSecret } from './without-secrets.ts';
import type { WorkerSettings } from './worker-settings.ts';

/** Of the system, of a user, of Node and Python, of GPUs and of the libraries that compute. */
const passedOn =
  /^(PATH|HOME|USER|LOGNAME|SHELL|LANG|LANGUAGE|TZ|TERM|TMPDIR|TEMP|TMP|NO_COLOR|FORCE_COLOR|SSL_CERT_FILE|SSL_CERT_DIR|LD_LIBRARY_PATH|LD_PRELOAD|DYLD_LIBRARY_PATH|VIRTUAL_ENV|NODE_OPTIONS|NODE_EXTRA_CA_CERTS|NVIDIA_TF32_OVERRIDE|WORLD_SIZE|MASTER_ADDR|MASTER_PORT|SYSTEMROOT)$|^(LC|XDG|PYTHON|CONDA|CUDA|NVIDIA|NCCL|GLOO|UCX|TF|TORCH|PYTORCH|TORCHINDUCTOR|TRITON|OMP|GOMP|MKL|KMP|OPENBLAS|BLIS|ONEDNN|DNNL|MALLOC|XLA|HIP|HSA|ROCM|ROCR|MIOPEN|DS|HF|TRANSFORMERS|TOKENIZERS|DATAENGINE)_?/;

/**
 * The environment of a child process that computes: variables known to be needed, without any whose name looks like a
 * secret's. The keys of the teacher, of the store and of Temporal are not for trainers, their logs and their crash texts.
 */
export function childEnvironment(
  own: Readonly<Record<string, string | undefined>> = {},
  environment: Readonly<Record<string, string | undefined>> = process.env,
): Record<string, string> {
  const passed = Object.entries(environment).filter(([name]) => passedOn.test(name) && !isSecret(name));
  const all = [...passed, ...Object.entries(own)];
  return Object.fromEntries(all.filter((entry): entry is [string, string] => entry[1] !== undefined));
}

/**
 * The environment of a process that computes the steps of a worker with these settings. Configs may name any variable that
 * is no secret. Of the others it gets the secrets and webhooks that the settings list, and those of stores; never Temporal's
 * and the payload key, which are the worker's alone.
 */
export function stepEnvironment(
  { secrets, webhooks }: Pick<WorkerSettings, 'secrets' | 'webhooks'>,
  environment: Readonly<Record<string, string | undefined>> = process.env,
): Record<string, string> {
  const listed = new Set([...secrets.map(({ variable }) => variable), ...webhooks]);
  const isFor = (name: string) => !isSecret(name) || listed.has(name) || name.startsWith('AWS_');
  const passed = Object.entries(environment).filter(([name]) => isFor(name) && !workersOwn.test(name));
  return Object.fromEntries(passed.filter((entry): entry is [string, string] => entry[1] !== undefined));
}

const workersOwn = /^(TEMPORAL|DATAENGINE_PAYLOAD_KEY)/;

/** Of the names above, `TOKENIZERS_PARALLELISM` only looks like a token's. */
function isSecret(name: string): boolean {
  return looksSecret(name.replace(/^TOKENIZERS_/, ''));
}
