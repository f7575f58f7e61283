/** `toy-server-process.ts <port> <seed> <delay>`: the toy server as a process, until it is killed. It prints its address. */
import { startToyServer } from './toy-server.ts';

const [port = '0', seed = 'toy', delay = '0'] = process.argv.slice(2);
const { url } = await startToyServer({ port: Number(port), seed, delay: Number(delay), logprobs: 'vllm' });
process.stdout.write(`${url}\n`);
