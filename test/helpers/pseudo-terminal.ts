/**
 * A command in a real pseudo-terminal of a given size (Python's `pty`: the README requires Python), and what a person sees
 * of it: the text is interpreted by a terminal emulator (xterm.js).
 */
import { spawn } from 'node:child_process';
import headless from '@xterm/headless';

const rows = 40;

const program = `
import fcntl, os, pty, struct, subprocess, sys, termios
columns, rows = int(sys.argv[1]), int(sys.argv[2])
ours, theirs = pty.openpty()
fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack('HHHH', rows, columns, 0, 0))
control = lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0)
child = subprocess.Popen(sys.argv[3:], stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True, preexec_fn=control)
os.close(theirs)
typed = os.environ.get('TYPED_AT_PROMPT', '').encode()
while True:
    try:
        data = os.read(ours, 65536)
    except OSError:
        break
    if not data:
        break
    if typed and b']: ' in data:
        os.write(ours, typed)
        typed = b''
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()
sys.exit(child.wait())
`;

export interface Shown {
  code: number;
  /** As it was sent to the terminal. */
  raw: string;
  /** The lines that a person sees in the end, scrolled-out ones included. */
  lines: string[];
  /** Those that did not fit, and were broken by the terminal. */
  broken: string[];
}

/**
 * Runs a command in a terminal of so many columns until it ends.
 *
 * @param typed at its first prompt, such as `Model [data/stage1]: `
 */
export async function inTerminal(
  columns: number,
  command: readonly string[],
  environment: NodeJS.ProcessEnv = {},
  typed = '',
): Promise<Shown> {
  const python = spawn('python3', ['-c', program, String(columns), String(rows), ...command], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: {
      ...process.env,
      TERM: 'xterm-256color',
      NO_COLOR: undefined,
      FORCE_COLOR: undefined,
      CI: undefined,
      TYPED_AT_PROMPT: typed,
      ...environment,
    },
  });
  const parts: Buffer[] = [];
  python.stdout.on('data', (part: Buffer) => parts.push(part));
  const code = await new Promise<number>((resolve, reject) => {
    python.once('error', reject);
    python.once('close', (status) => resolve(status ?? 1));
  });
  const raw = Buffer.concat(parts).toString('utf8');
  return { code, raw, ...(await interpreted(raw, columns)) };
}

async function interpreted(raw: string, columns: number): Promise<Pick<Shown, 'lines' | 'broken'>> {
  const terminal = new headless.Terminal({ cols: columns, rows, scrollback: 10_000, allowProposedApi: true });
  await new Promise<void>((resolve) => terminal.write(raw, resolve));
  const { active } = terminal.buffer;
  const lines: string[] = [];
  const broken = new Set<string>();
  for (let row = 0; row < active.length; row += 1) {
    const line = active.getLine(row);
    const text = line?.translateToString(true) ?? '';
    if (line?.isWrapped && lines.length > 0) {
      const whole = `${lines.pop()}${text}`;
      lines.push(whole);
    } else {
      lines.push(text);
    }
    if (line?.isWrapped) broken.add(lines.at(-1) as string);
  }
  terminal.dispose();
  return { lines, broken: [...broken].filter((line) => lines.includes(line)) };
}
