/** A failing network: a proxy between a client and a server that cuts, slows or holds connections on request. */
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';

export interface ProxyFaults {
  /** Connections that are cut once the client has sent this many bytes. Default: none. */
  cutAfterSent?: (connection: number) => number | undefined;
  /** Connections that are cut once the server has answered this many bytes. Default: none. */
  cutAfterAnswered?: (connection: number) => number | undefined;
  /** Connections on which each piece that the client sends is followed by a pause of so many milliseconds. */
  delaysSent?: (connection: number) => number | undefined;
  /** Connections on which no answer comes through. */
  holds?: (connection: number) => boolean;
}

export interface FaultyProxy {
  endpoint: string;
  /** May be changed at any time; connections are counted from 1. */
  faults: ProxyFaults;
  /** Bytes that clients sent through it, and that came back. */
  sent: number;
  answered: number;
  connections: number;
}

/** A proxy of one test, to a port of this machine. */
export async function faultyProxy(port: number): Promise<FaultyProxy> {
  const proxy: FaultyProxy = { endpoint: '', faults: {}, sent: 0, answered: 0, connections: 0 };
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    proxy.connections += 1;
    const { cutAfterSent, cutAfterAnswered, delaysSent, holds } = proxy.faults;
    const number = proxy.connections;
    const upstream = connect(port, '127.0.0.1');
    const cut = () => {
      client.destroy();
      upstream.destroy();
    };
    let sent = 0;
    let answered = 0;
    client.on('data', (piece: Buffer) => {
      sent += piece.length;
      proxy.sent += piece.length;
      if (sent > (cutAfterSent?.(number) ?? Number.POSITIVE_INFINITY)) cut();
      const pause = delaysSent?.(number);
      if (pause === undefined) return;
      client.pause();
      setTimeout(() => client.resume(), pause);
    });
    client.pipe(upstream);
    upstream.on('data', (piece: Buffer) => {
      if (holds?.(number)) return;
      answered += piece.length;
      proxy.answered += piece.length;
      if (answered > (cutAfterAnswered?.(number) ?? Number.POSITIVE_INFINITY)) cut();
      else client.write(piece);
    });
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', cut);
      socket.on('close', cut);
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  proxy.endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return proxy;
}
