import { once } from 'node:events';
import { type Command, InvalidArgumentError } from 'commander';
import { InputError } from '../src/core/input-error.ts';
import { integer } from './options.ts';
import { tell } from './say.ts';

/** Adds `dataengine codec-server`. */
export function addCodecServerCommand(program: Command, signal: AbortSignal): void {
  program
    .command('codec-server')
    .description('decrypt payloads for the UI and the temporal command on this machine (DATAENGINE_PAYLOAD_KEY)')
    .option('--port <number>', 'port on localhost', integer(0), 8234)
    .option(
      '--ui <origin>',
      'origin of the UI, the only one that a browser may call from',
      origin,
      'http://localhost:8233',
    )
    .option('--payload-key-file <file>', 'file with the keys (default: DATAENGINE_PAYLOAD_KEY_FILE)')
    .addHelpText('after', '\nExample:\n  dataengine codec-server --ui https://cloud.temporal.io')
    .action(async ({ port, ui, payloadKeyFile }: { port: number; ui: string; payloadKeyFile?: string }) => {
      const { loadPayloadKeys, payloadCodec, payloadKeyVariable } = await import('../workers/payload-codec.ts');
      const { loadClientConnectConfig } = await import('@temporalio/envconfig');
      const { serveCodec } = await import('./codec-server.ts');
      const keys = await loadPayloadKeys(payloadKeyFile);
      if (keys.size === 0) {
        const remedy = `Set it, or give --payload-key-file`;
        throw new InputError({ file: payloadKeyVariable, problem: 'is not set', remedy });
      }
      const { namespace = 'default' } = loadClientConnectConfig();
      const server = await serveCodec({ codec: payloadCodec(keys), port, ui, namespace });
      tell(`Codec endpoint ${server.address} for the namespace ${namespace}, until Ctrl-C`);
      if (!signal.aborted) await once(signal, 'abort');
      await server.close();
    });
}

function origin(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol) || text.replace(/\/$/, '') !== url.origin) {
    throw new InvalidArgumentError('Give an origin such as http://localhost:8233.');
  }
  return url.origin;
}
