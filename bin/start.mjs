import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const plainPrograms = { doctor: '../scripts/doctor.mjs', setup: '../scripts/setup.mjs' };

let tsx;
try {
  tsx = await import('tsx/esm/api');
} catch (error) {
  if (error.code !== 'ERR_MODULE_NOT_FOUND') throw error;
}
if (tsx !== undefined) {
  tsx.register();
  await import('../cli/main.ts');
} else {
  const [command = '', ...rest] = process.argv.slice(2);
  const program = Object.hasOwn(plainPrograms, command) ? plainPrograms[command] : undefined;
  if (program === undefined) {
    console.error('Nothing is installed yet. Run `npm run setup`;\n`npm run doctor` says what this machine lacks.');
    process.exitCode = 1;
  } else {
    const file = fileURLToPath(new URL(program, import.meta.url));
    process.exitCode = spawnSync(process.execPath, [file, ...rest], { stdio: 'inherit' }).status ?? 1;
  }
}
