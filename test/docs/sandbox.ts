/**
 * A folder that looks like a fresh clone, in which the commands of the pages are typed: its code is the project's, by
 * links, its configs are copies made small, and what the commands write stays in it.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { cp, mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { delimiter, join, resolve } from 'node:path';
import { parseDocument } from 'yaml';
import { temporalExecutable } from '../../demo/command/temporal-server.ts';

export interface Typed {
  code: number;
  /** Standard output and error, as a terminal shows them. */
  shown: string;
}

/** A command that runs while others are typed. */
export interface Background {
  line: string;
  shown(): string;
  /** Types into it. */
  write(text: string): void;
  /** Resolves when the command ends by itself. */
  ended: Promise<Typed>;
}

export interface Sandbox {
  folder: string;
  /** Types a line and waits for its end. @throws Error with what was shown when it ends with another code than 0 */
  type(line: string): Promise<string>;
  /** Types a line and returns. */
  start(line: string): Background;
  /** Ends what was started, process groups and all. */
  close(): Promise<void>;
}

const isOwn = new Set(['configs', 'runs', '.cache', '.git']);

/** @param environment in addition to this process's own */
export async function makeSandbox(folder: string, environment: Record<string, string>): Promise<Sandbox> {
  const project = resolve('.');
  for (const name of await readdir(project)) {
    if (!isOwn.has(name)) await symlink(join(project, name), join(folder, name));
  }
  await mkdir(join(folder, '.cache'));
  for (const name of await readdir(join(project, '.cache'))) {
    if (/^(?:temporal|tensorflow|setup\.json)$/.test(name)) {
      await symlink(join(project, '.cache', name), join(folder, '.cache', name));
    }
  }
  await cp(join(project, 'configs'), join(folder, 'configs'), { recursive: true });
  await mkdir(join(folder, 'bin-on-path'));
  await symlink(await temporalExecutable(), join(folder, 'bin-on-path', 'temporal'));
  await symlink(join(project, 'bin', 'dataengine.mjs'), join(folder, 'bin-on-path', 'dataengine'));

  const env = {
    ...process.env,
    ...environment,
    NO_COLOR: '1',
    PATH: `${join(folder, 'bin-on-path')}${delimiter}${process.env.PATH}`,
  };
  const running = new Map<ChildProcess, Promise<Typed>>();

  function begin(line: string): Background {
    const child = spawn('bash', ['-c', line], { cwd: folder, env, detached: true, stdio: 'pipe' });
    let shown = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        shown += text;
      });
    }
    child.stdin.on('error', () => undefined);
    const ended = new Promise<Typed>((done, broken) => {
      child.once('error', broken);
      child.once('close', (code) => {
        running.delete(child);
        done({ code: code ?? 1, shown });
      });
    });
    running.set(child, ended);
    return { line, shown: () => shown, write: (text) => void child.stdin.write(text), ended };
  }

  return {
    folder,
    start: begin,
    async type(line) {
      const { code, shown } = await begin(line).ended;
      if (code !== 0) throw new Error(`ended with ${code}: ${line}\n${shown}`);
      return shown;
    },
    // The newest first: workers stop in order only while their server is there.
    async close() {
      for (const [{ pid }, ended] of [...running].reverse()) {
        signalGroup(pid, 'SIGTERM');
        const late = setTimeout(() => signalGroup(pid, 'SIGKILL'), 10_000);
        await ended;
        clearTimeout(late);
      }
    },
  };
}

function signalGroup(pid: number | undefined, signal: NodeJS.Signals): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, signal);
  } catch {
    // It has ended meanwhile.
  }
}

/** Changes keys of a config file, those that lie deeper too; comments are kept. */
export async function changeConfig(file: string, changes: Record<string, unknown>): Promise<void> {
  const document = parseDocument(await readFile(file, 'utf8'));
  const change = (value: unknown, path: string[]): void => {
    if (typeof value !== 'object' || value === null) document.setIn(path, value);
    else for (const [key, inner] of Object.entries(value)) change(inner, [...path, key]);
  };
  change(changes, []);
  await writeFile(file, document.toString());
}
