/**
 * The thread that answers `GET /healthz`. It shares numbers with the worker's own thread (`health.ts` writes them), and
 * judges by when they last changed, on its own clock: a worker that hangs can't say so.
 */
import { createServer } from 'node:http';
import { parentPort, workerData } from 'node:worker_threads';

const { shared, states, queues, port, host, limits, interval } = workerData;
const numbers = new Int32Array(shared);

/** The numbers at some places of the shared ones, and since when they are what they are. */
function watch(...places) {
  let known = '';
  let since = performance.now();
  return () => {
    const now = places.map((place) => Atomics.load(numbers, place)).join();
    if (now !== known) since = performance.now();
    known = now;
    return (performance.now() - since) / 1000;
  };
}

const sinceBeat = watch(0);
const sinceFileRead = watch(1);
const slots = queues.map((taskQueue, index) => {
  const held = 5 + 2 * index;
  const sinceSign = watch(held, held + 1);
  return { taskQueue, stuckFor: () => (sinceSign() > 0 && Atomics.load(numbers, held) === 1 ? sinceSign() : 0) };
});
/** A blocked loop looks up no file and sends no heartbeat, so only what was missing before its last beat counts. */
function look() {
  const blocked = sinceBeat();
  return [blocked, sinceFileRead() - blocked, ...slots.map(({ stuckFor }) => stuckFor() - blocked)];
}
setInterval(look, interval);

function problemOf(state) {
  if (state !== 'RUNNING') return 'the worker does not poll';
  const [blocked, unread, ...stuck] = look();
  if (blocked > limits.blockedSeconds) return `the event loop has been blocked for ${Math.floor(blocked)} s`;
  if (unread > limits.stuckSeconds) return `no file could be looked up for ${Math.floor(unread)} s`;
  const index = stuck.findIndex((seconds) => seconds > limits.stuckSeconds);
  if (index < 0) return undefined;
  const held = `activities have held all slots of the queue ${queues[index]}`;
  return `${held} for ${Math.floor(stuck[index])} s with neither heartbeat nor completion`;
}

/**
 * Against DNS rebinding: a page in a browser reaches this server by a domain name of its own only. Probes send an address
 * (kubelet that of the pod), a name without a dot (of a container), the name that the worker was given, or no name at all.
 */
function isProbe({ host: given }) {
  const name = given?.replace(/:\d+$/, '').toLowerCase();
  return name === undefined || name === host || !name.includes('.') || /^[\d.]+$|^\[.*\]$/.test(name);
}

const server = createServer((request, response) => {
  if (!isProbe(request.headers)) {
    response.writeHead(403).end('Use the address of this machine or its name without a domain\n');
    return;
  }
  if (request.method !== 'GET' || request.url !== '/healthz') {
    response.writeHead(404).end();
    return;
  }
  const [state, activities, workflows] = [2, 3, 4].map((place) => Atomics.load(numbers, place));
  const problem = problemOf(states[state]);
  response.writeHead(problem === undefined ? 200 : 503, { 'content-type': 'application/json' });
  response.end(`${JSON.stringify({ state: states[state], activities, workflows, problem })}\n`);
});
server.once('error', (error) => parentPort.postMessage({ error }));
server.listen(port, host, () => parentPort.postMessage({ port: server.address().port }));
