/** The checks of `dataengine doctor`, each a line. */
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { columnsOf, wrapped } from '../setup/terminal-text.mjs';
import { setUpCommand } from './commands.mjs';
import { examineDisk, examineInstallation, examinePrerequisites, withLibrary } from './findings.mjs';

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const context = await withLibrary({ root, cache: join(root, '.cache') });

const findings = [
  ...(await examinePrerequisites(context)),
  ...(await examineInstallation(context)),
  ...examineDisk(context),
];
const longestName = Math.max(...findings.map(({ name }) => name.length));
const hasColor = process.stdout.isTTY && !process.env.NO_COLOR && process.env.TERM !== 'dumb';
const marks = { ok: ['ok ', 32], later: ['-- ', 33], bad: ['bad', 31] };
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for.
const printable = (text) => text.replace(/[\u0000-\u001f\u007f-\u009f]+/g, ' ');

for (const { name, state, text } of findings) {
  const [mark, color] = marks[state];
  const start = `${mark} ${name.padEnd(longestName)}  `;
  // What does not fit goes below the text.
  const lines = wrapped(start + printable(text), columnsOf(process.stdout), start.length).slice(mark.length);
  console.log(`${hasColor ? `\u001b[${color}m${mark}\u001b[39m` : mark}${lines}`);
}
if (findings.some(({ state }) => state === 'later'))
  console.log(`\n--  is not installed yet: \`${setUpCommand}\` does that.`);
if (findings.some(({ state }) => state === 'bad')) process.exitCode = 1;
