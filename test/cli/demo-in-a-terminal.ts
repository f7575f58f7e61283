/** For a terminal: the demo as `dataengine demo` runs it, with a pretend trainer. Its argument is a config. */
import { runDemo } from '../../demo/command/demo.ts';
import { guardTerminal } from '../../src/core/printable.ts';
import { pretendTrainerEntry } from '../round/tiny-run.ts';

guardTerminal(process.stdout);
guardTerminal(process.stderr);
const [config] = process.argv.slice(2);
const { signal } = new AbortController();
await runDemo({ quick: false, keep: false, trainerEntry: pretendTrainerEntry, signal, ...(config && { config }) });
