import { readdir, readFile, readlink } from 'node:fs/promises';
import { join } from 'node:path';

/** Linux reports which process listens where; other systems need programs that may be missing. */
export const noListening = 'needs Linux, to see where processes listen';

/** Where a process listens for TCP connections, such as `127.0.0.1:8787`; undefined where that cannot be found. */
export async function listeningAddresses(pid: number): Promise<string[] | undefined> {
  if (process.platform !== 'linux') return undefined;
  const folder = `/proc/${pid}/fd`;
  const links = await Promise.all((await readdir(folder)).map((name) => readlink(join(folder, name)).catch(() => '')));
  const own = new Set(links.flatMap((link) => /^socket:\[(\d+)\]$/.exec(link)?.[1] ?? []));
  const addresses: string[] = [];
  for (const family of ['tcp', 'tcp6']) {
    const table = await readFile(`/proc/${pid}/net/${family}`, 'utf8').catch(() => '');
    for (const row of table.split('\n').slice(1)) {
      // proc(5): number, local address, remote address, state, …, inode as the tenth.
      const [, local = '', , state, , , , , , inode = ''] = row.trim().split(/\s+/);
      if (state === '0A' && own.has(inode)) addresses.push(readable(local));
    }
  }
  return addresses.sort();
}

/** The kernel writes addresses in hexadecimal, each four bytes of them back to front. */
function readable(address: string): string {
  const [host = '', port = ''] = address.split(':');
  const bytes = (host.match(/.{8}/g) ?? []).flatMap((word) => (word.match(/../g) ?? []).reverse());
  const numbers = bytes.map((byte) => Number.parseInt(byte, 16));
  const name = numbers.length === 4 ? numbers.join('.') : Buffer.from(numbers).toString('hex');
  return `${name}:${Number.parseInt(port, 16)}`;
}
