/** `dataengine serve`: a model behind OpenAI's chat completions, and a page to try it. */
import { once } from 'node:events';
import { resolve } from 'node:path';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { type ExifMode, exifModes } from '../src/core/images/image-kind.ts';
import { readKeyFile } from '../src/core/key-file.ts';
import { keepSecret } from '../src/core/without-secrets.ts';
import type { EngineKind } from '../src/serving/start-engine.ts';
import { describeFailure } from './failures.ts';
import { integer, wrongOption } from './options.ts';
import { say, tell } from './say.ts';

interface KeyOptions {
  apiKeyVariable?: string;
  apiKeyFile?: string;
}

interface ServeOptions extends KeyOptions {
  name?: string;
  adapter: Readonly<Record<string, string>>;
  round?: number;
  engine?: EngineKind;
  exif?: ExifMode;
  host: string;
  port: number;
  origin?: string;
  maxAnswers: number;
  maxBodyMib: number;
  maxImageMegapixels: number;
  maxTokens: number;
  grace: number;
}

/** Adds `dataengine serve`. */
export function addServeCommand(program: Command, signal: AbortSignal): void {
  program
    .command('serve')
    .argument('<model>', 'model directory, or a run such as runs/demo: the merged model of its last good round')
    .description("serve a model by OpenAI's chat completions, with a page to try it")
    .option('--name <name>', "what requests call the model (default: the directory's, or that of run and round)")
    .option(
      '--adapter <name=folder>',
      'PEFT adapter over the model, under a name of its own; may be repeated',
      adapter,
      {},
    )
    .option('--round <number>', 'of a run, instead of its last good round', integer(0))
    .addOption(
      new Option('--engine <name>', 'what computes (default: tensorflow for built-in families, else torch)').choices([
        'tensorflow',
        'torch',
      ]),
    )
    .addOption(new Option('--exif <mode>', "how images are opened (default: the run's, or apply)").choices(exifModes))
    .option('--host <host>', 'address to listen on; one that other machines reach needs a key', '127.0.0.1')
    .option('--port <number>', 'port; 0 takes any that is free', integer(0, 65_535), 8000)
    .option(
      '--origin <address>',
      'of a proxy in front of the server, such as https://models.example.org: its page may call',
      origin,
    )
    .option('--api-key-variable <name>', 'environment variable with the key that clients must send')
    .option('--api-key-file <file>', 'file with that key')
    .option('--max-answers <number>', 'that are computed or wait at a time; more are refused with 429', integer(1), 64)
    .option('--max-body-mib <number>', 'size of a request', integer(1), 32)
    .option('--max-image-megapixels <number>', 'of all images of a request', integer(1), 25)
    .option('--max-tokens <number>', 'of an answer whose request says none', integer(1), 512)
    .option('--grace <seconds>', 'how long answers may take to end when the server is stopped', integer(0), 10)
    .addHelpText(
      'after',
      '\nExamples:\n  dataengine serve runs/demo\n' +
        '  dataengine serve data/stage1 --adapter first=runs/demo/round-0/finetune --port 0',
    )
    .action((model: string, options: ServeOptions) => serve(model, options, signal));
}

async function serve(model: string, options: ServeOptions, signal: AbortSignal): Promise<void> {
  const { isLoopback } = await import('../src/core/access.ts');
  const key = readServerKey(options);
  const reachable = isLoopback(options.host) ? options.origin : options.host;
  if (key === undefined && reachable !== undefined) {
    const problem = `${reachable} may be reached by other machines, and the server has no key`;
    const remedy = 'Give --api-key-variable or --api-key-file, or listen on 127.0.0.1';
    throw wrongOption(isLoopback(options.host) ? '--origin' : '--host', problem, remedy);
  }
  const [{ servedModel }, { startEngine }, { requireFreeAddress, serveChat }] = await Promise.all([
    import('../src/round/served-model.ts'),
    import('../src/serving/start-engine.ts'),
    import('../src/serving/chat-server.ts'),
  ]);
  const { directory, name, tokenBoundaries, exif } = await servedModel(model, options.round);
  await requireFreeAddress(options);
  say(`Loading ${directory} …`);
  const engine = await startEngine(
    {
      model: directory,
      name: options.name ?? name,
      adapters: options.adapter,
      engine: options.engine,
      tokenBoundaries,
      exif: options.exif ?? exif,
    },
    signal,
  );
  try {
    const server = await serveChat(engine, {
      host: options.host,
      port: options.port,
      origin: options.origin,
      key,
      mostAnswers: options.maxAnswers,
      bodyBytes: options.maxBodyMib * 2 ** 20,
      imagePixels: options.maxImageMegapixels * 1e6,
      defaultMaxTokens: options.maxTokens,
      report: (error) => say(said(error)),
    });
    tell(`Serving ${engine.models.join(', ')} at ${server.address}v1, a page at ${server.address}`);
    if (!signal.aborted) await once(signal, 'abort');
    await server.close(options.grace * 1000);
  } finally {
    await engine.close();
  }
}

/** A process that ended is no fault of this program: its last lines say more than where that was noticed. */
function said(error: unknown): string {
  return error instanceof Error && error.name === 'TrainerError' ? error.message : describeFailure(error).message;
}

/** @throws InputError for a variable that is not set, or a file that holds no key; nothing of either is quoted */
function readServerKey({ apiKeyVariable, apiKeyFile }: KeyOptions): string | undefined {
  if (apiKeyVariable !== undefined && apiKeyFile !== undefined) {
    throw wrongOption('--api-key-file', 'is given beside --api-key-variable', 'Give one of them');
  }
  if (apiKeyFile !== undefined) {
    const key = readKeyFile(apiKeyFile, '--api-key-file');
    keepSecret(apiKeyFile, key);
    return key;
  }
  if (apiKeyVariable === undefined) return undefined;
  const key = process.env[apiKeyVariable];
  if (!key || /[^\x21-\x7e]/.test(key)) {
    throw wrongOption('--api-key-variable', `${apiKeyVariable} holds no key`, `Set ${apiKeyVariable} to one word`);
  }
  keepSecret(apiKeyVariable, key);
  return key;
}

/** For commander: scheme, host and port alone, as browsers write it. */
function origin(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.href !== `${url.origin}/`) {
    throw new InvalidArgumentError('Give one such as https://models.example.org.');
  }
  return url.origin;
}

/** For commander: `name=folder`, each name once. */
function adapter(text: string, others: Readonly<Record<string, string>>): Record<string, string> {
  const [, name, folder] = /^([^=]+)=(.+)$/s.exec(text) ?? [];
  if (name === undefined || folder === undefined) throw new InvalidArgumentError('Give name=folder.');
  // As vLLM's --lora-modules, which takes what has a comma for JSON.
  if (name.includes(',')) throw new InvalidArgumentError('Give a name without a comma.');
  if (Object.hasOwn(others, name)) throw new InvalidArgumentError(`There are two adapters ${name}.`);
  return Object.fromEntries([...Object.entries(others), [name, resolve(folder)]]);
}
