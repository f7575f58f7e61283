import { execFile } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);

interface Row {
  pid: number;
  group: number;
  command: string;
}

/** The commands of the processes that run in a process group; zombies don't run. */
export async function runningInGroup(group: number): Promise<string[]> {
  return (await processTable()).filter((row) => row.group === group).map(({ command }) => command);
}

/** The pids of the processes that run in a process group. */
export async function processesInGroup(group: number): Promise<number[]> {
  return (await processTable()).filter((row) => row.group === group).map(({ pid }) => pid);
}

/** The running processes whose command line contains the text. */
export async function runningWith(text: string): Promise<Row[]> {
  return (await processTable()).filter(({ pid, command }) => pid !== process.pid && command.includes(text));
}

async function processTable(): Promise<Row[]> {
  return process.platform === 'linux' ? tableFromProc() : tableFromPs();
}

// Small images of Linux come without `ps`.
async function tableFromProc(): Promise<Row[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const rows = await Promise.all(pids.map(rowFromProc));
  return rows.filter((row) => row !== undefined);
}

async function rowFromProc(pid: string): Promise<Row | undefined> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
    const [state, , group] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    if (state === 'Z' || state === 'X') return undefined;
    const command = (await readFile(`/proc/${pid}/cmdline`, 'utf8')).replaceAll('\0', ' ').trim();
    return { pid: Number(pid), group: Number(group), command };
  } catch {
    return undefined;
  }
}

async function tableFromPs(): Promise<Row[]> {
  const { stdout } = await run('ps', ['-Awwo', 'pid=,pgid=,stat=,args='], { maxBuffer: 64 * 1024 * 1024 });
  return stdout
    .split('\n')
    .map((line) => /^\s*(\d+)\s+(\d+)\s+(\S+)\s+(.*)$/.exec(line))
    .filter((match) => match !== null && !match[3]?.startsWith('Z'))
    .map((match) => ({ pid: Number(match?.[1]), group: Number(match?.[2]), command: match?.[4] ?? '' }));
}
