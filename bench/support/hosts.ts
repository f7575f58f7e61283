/**
 * Several hosts on one machine, for a test: each has its own network namespace, reaches only the exposed ports of this
 * machine, through a bridge, and sees nothing of the others' disks. That requires root and Linux; elsewhere the hosts are
 * folders, and their processes are started in them.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { type OwnedProcess, startOwned } from '../../demo/command/child-process.ts';

export interface Host {
  name: string;
  /** Its disk, and where its processes are started. */
  disk: string;
  start(program: HostProgram): Promise<OwnedProcess>;
}

export interface HostProgram {
  name: string;
  /** For Node. */
  arguments: string[];
  environment: Record<string, string>;
  /** The only processor that it and its children may use; default: all. */
  processor?: number | undefined;
}

export interface Hosts {
  /** Lets the hosts reach a port that listens on localhost. @returns `address:port` for them */
  expose(port: number): Promise<string>;
  /** Whether they are namespaces. */
  isolated: boolean;
  hosts: Host[];
  remove(): void;
}

// Names of this process: a killed one may have left its own.
const subnet = `10.213.${process.pid % 256}`;
const bridge = `hosts${process.pid}`;
const namespaceOf = (name: string) => `${bridge}-${name}`;

/** @param folder gets a folder for each host */
export function createHosts(folder: string, names: string[]): Hosts {
  for (const name of names) mkdirSync(join(folder, name), { recursive: true });
  const isolated = connectNamespaces(names);
  const hosts = names.map((name): Host => {
    const disk = join(folder, name);
    const hidden = names.filter((other) => other !== name).map((other) => `mount -t tmpfs none ${join(folder, other)}`);
    const script = [`hostname ${name}`, ...hidden, `cd ${disk}`, 'exec "$@"'].join(' && ');
    const enter = isolated
      ? ['ip', 'netns', 'exec', namespaceOf(name), 'unshare', '--mount', '--uts', 'sh', '-c', script, 'sh']
      : ['env', '-C', disk];
    const [program, ...way] = enter as [string, ...string[]];
    return {
      name,
      disk,
      start: ({ name: called, arguments: line, environment, processor }) =>
        startOwned({
          name: called,
          program,
          arguments: [
            ...way,
            ...(processor === undefined ? [] : ['taskset', '--cpu-list', String(processor)]),
            process.execPath,
            ...line,
          ],
          logFile: join(folder, `${name}-${called}.log`),
          environment,
        }),
    };
  });
  const relays: Server[] = [];
  return {
    isolated,
    hosts,
    async expose(port) {
      if (!isolated) return `127.0.0.1:${port}`;
      const relay = await startRelay(`${subnet}.1`, port);
      relays.push(relay);
      return `${subnet}.1:${(relay.address() as AddressInfo).port}`;
    },
    remove() {
      for (const relay of relays) relay.close();
      if (isolated) disconnectNamespaces(names);
    },
  };
}

async function startRelay(address: string, port: number): Promise<Server> {
  const relay = createServer((client) => {
    const server = connect(port, '127.0.0.1');
    const end = () => {
      client.destroy();
      server.destroy();
    };
    for (const socket of [client, server]) socket.on('error', end).on('close', end);
    client.pipe(server).pipe(client);
  });
  await new Promise<void>((resolve) => relay.listen(0, address, resolve));
  return relay.unref();
}

function connectNamespaces(names: string[]): boolean {
  try {
    run(`ip link add ${bridge} type bridge`, `ip addr add ${subnet}.1/24 dev ${bridge}`, `ip link set ${bridge} up`);
    for (const [index, name] of names.entries()) {
      const cable = `h${process.pid}p${index}`;
      const namespace = namespaceOf(name);
      run(
        `ip netns add ${namespace}`,
        `ip link add ${cable} type veth peer name eth0 netns ${namespace}`,
        `ip link set ${cable} master ${bridge} up`,
        `ip netns exec ${namespace} ip addr add ${subnet}.${index + 2}/24 dev eth0`,
        `ip netns exec ${namespace} ip link set eth0 up`,
        `ip netns exec ${namespace} ip link set lo up`,
        `ip netns exec ${namespace} unshare --mount --uts true`,
      );
    }
    return true;
  } catch (error) {
    disconnectNamespaces(names);
    process.stderr.write(
      `No network namespaces can be created here, so the hosts of this test are folders: ${error}\n`,
    );
    return false;
  }
}

function disconnectNamespaces(names: string[]): void {
  for (const line of [...names.map((name) => `ip netns del ${namespaceOf(name)}`), `ip link del ${bridge}`]) {
    try {
      run(line);
    } catch {
      // It was not there.
    }
  }
}

function run(...lines: string[]): void {
  for (const line of lines) {
    const [program, ...words] = line.split(' ') as [string, ...string[]];
    execFileSync(program, words, { stdio: 'ignore' });
  }
}
