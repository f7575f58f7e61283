/**
 * Applies a change of `examples/` to a copy of this project, to show what it costs: new files, and a patch of a few lines.
 *
 *   examples/<name>/new/…      new files, at the paths that they have in the project
 *   examples/<name>/*.patch    changes of files that are there, as `git diff` writes them
 */
import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, relative, resolve } from 'node:path';
import { promisify } from 'node:util';
import { projectFile } from '../../src/core/files.ts';

const run = promisify(execFile);

/** What the project's programs need beside its tracked files, and do not write to. */
const linked = ['node_modules', '.cache/setup.json', '.cache/tensorflow', '.cache/temporal', '.cache/seaweedfs'];

export interface ProjectCopy {
  /** The copy's root. */
  folder: string;
  /**
   * Runs Node in the copy, such as on `node_modules/typescript/bin/tsc`.
   *
   * @returns what it wrote to standard output
   * @throws Error with what it wrote, if it fails
   */
  runNode(...line: string[]): Promise<string>;
  /** The same on a TypeScript program. */
  runProgram(file: string, ...programArguments: string[]): Promise<string>;
  /** The same on test files. */
  runTests(...files: string[]): Promise<string>;
  remove(): Promise<void>;
}

export interface AppliedExample {
  /** Files that the example adds, sorted. */
  added: string[];
  /** Files that its patches change, sorted. */
  changed: string[];
  /** Lines that its patches add and remove. */
  changedLines: number;
}

/**
 * @param copy where it is applied; several examples may be applied to one copy
 * @param example its folder, such as `examples/model-family`
 * @param registrations the only files that its patches may change
 * @throws Error when a patch does not apply, changes another file, or adds or removes one; or when a new file is there already
 */
export async function applyExample(
  { folder }: ProjectCopy,
  example: string,
  registrations: readonly string[],
): Promise<AppliedExample> {
  const patches = (await readdir(example)).filter((name) => name.endsWith('.patch')).map((name) => join(example, name));
  const { changed, changedLines } = await readPatches(patches);
  const other = changed.filter((file) => !registrations.includes(file));
  if (other.length > 0) throw new Error(`${example} changes files that register nothing: ${other.join(', ')}`);
  const added = await addFiles(join(example, 'new'), folder);
  for (const patch of patches) await applyPatch(patch, folder);
  return { added, changed, changedLines };
}

async function applyPatch(patch: string, folder: string): Promise<void> {
  try {
    await run('git', ['apply', '--whitespace=nowarn', resolve(patch)], { cwd: folder });
  } catch (error) {
    const { stderr } = error as { stderr: string };
    const message = `${patch} does not apply any more: make its changes by hand, and write it anew with git diff -U1\n${stderr}`;
    throw new Error(message, { cause: error });
  }
}

async function readPatches(patches: readonly string[]): Promise<{ changed: string[]; changedLines: number }> {
  const changed = new Set<string>();
  let changedLines = 0;
  for (const patch of patches) {
    if (/^(?:---|\+\+\+) \/dev\/null|^rename |^deleted file/m.test(await readFile(patch, 'utf8'))) {
      throw new Error(`${patch} adds, removes or renames a file: put new files into ${join(dirname(patch), 'new')}`);
    }
    // One line a file: lines added, lines removed, path.
    const { stdout } = await run('git', ['apply', '--numstat', patch]);
    for (const line of stdout.trim().split('\n')) {
      const [added, removed, file = ''] = line.split('\t');
      changed.add(file);
      changedLines += Number(added) + Number(removed);
    }
  }
  return { changed: [...changed].sort(), changedLines };
}

/** Copies the files of this project that Git knows or would take into a temporary folder. */
export async function copyProject(): Promise<ProjectCopy> {
  const root = projectFile('');
  const folder = await mkdtemp(join(tmpdir(), 'dataengine-example-'));
  const list = ['ls-files', '-z', '--cached', '--others', '--exclude-standard'];
  const { stdout } = await run('git', list, { cwd: root, maxBuffer: 2 ** 26 });
  for (const file of stdout.split('\0').filter((name) => name !== '')) {
    // A file that was removed but not yet committed is still listed.
    await cp(join(root, file), join(folder, file)).catch(ignoreMissing);
  }
  await mkdir(join(folder, '.cache'));
  for (const path of linked) await symlink(join(root, path), join(folder, path)).catch(ignoreMissing);
  return {
    folder,
    runNode: (...line) => runNode(folder, ...line),
    runProgram: (file, ...programArguments) => runNode(folder, '--import', 'tsx', file, ...programArguments),
    runTests: (...files) => runNode(folder, 'node_modules/vitest/vitest.mjs', 'run', '--maxWorkers=1', ...files),
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}

function ignoreMissing(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOENT') throw error;
}

async function addFiles(source: string, folder: string): Promise<string[]> {
  const entries = await readdir(source, { recursive: true, withFileTypes: true }).catch(() => []);
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  const added = files.map((file) => relative(source, file)).sort();
  for (const file of added) {
    await cp(join(source, file), join(folder, file), { errorOnExist: true, force: false });
  }
  return added;
}

async function runNode(folder: string, ...line: string[]): Promise<string> {
  // What Vitest sets for a test file would have a test run of its own take itself for one of its workers.
  const environment = Object.entries(process.env).filter(
    ([name]) => !name.startsWith('VITEST') && name !== 'NODE_OPTIONS',
  );
  const options = { cwd: folder, env: Object.fromEntries(environment), maxBuffer: 2 ** 26 };
  try {
    return (await run(process.execPath, line, options)).stdout;
  } catch (error) {
    const { stdout, stderr } = error as { stdout: string; stderr: string };
    throw new Error(`${line.join(' ')} failed in a copy of the project:\n${stdout}${stderr}`, { cause: error });
  }
}
