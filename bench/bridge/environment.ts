/** lmms-eval's Python: an environment of its own, beside that of the PyTorch trainer, whose packages it sees. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { fileExists } from '../../src/core/files.ts';
import { hashValue } from '../../src/core/hash.ts';
import { readTextFile } from '../../src/core/read-json.ts';
import { pythonOfSetup } from '../../src/core/setup-file.ts';
import { writeFileAtomically } from '../../src/core/write-file.ts';
import { runProgram } from './run-program.ts';

const requirements = fileURLToPath(new URL('requirements.txt', import.meta.url));

/** @throws InputError where there is no PyTorch; Error with pip's last lines where a package can not be installed */
export async function bridgePython(root: string, log: string): Promise<string> {
  const torch = await pythonOfSetup('torch');
  const folder = join(root, 'python');
  const [python, mark] = [join(folder, 'bin/python'), join(folder, 'made-from')];
  const madeFrom = hashValue({ torch, requirements: await readTextFile(requirements) });
  if ((await fileExists(mark)) && (await readTextFile(mark)) === madeFrom) return python;

  process.stderr.write(`Installing lmms-eval into ${folder} …\n`);
  await rm(folder, { recursive: true, force: true });
  await runProgram([torch, '-m', 'venv', folder], { log });
  const packagesOf = async (one: string) => {
    return (await runProgram([one, '-c', 'import sysconfig; print(sysconfig.get_path("purelib"))'], { log })).trim();
  };
  await writeFileAtomically(join(await packagesOf(python), 'pytorch.pth'), `${await packagesOf(torch)}\n`);
  const install = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--no-deps'];
  await runProgram([python, ...install, '--requirement', requirements], { log });
  await runProgram([python, '-c', 'import lmms_eval.__main__'], { log });
  await writeFileAtomically(mark, madeFrom);
  return python;
}
