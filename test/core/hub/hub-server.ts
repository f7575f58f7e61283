/**
 * A server on this machine that speaks as much of the Hub's protocol as `@huggingface/hub` and Python's `huggingface_hub` use to
 * push and pull: repositories, commits, Git LFS (in parts, too), listings and downloads. Large files are on a second origin, as
 * they are in the Hub's storage.
 */
import { createHash, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';

interface HubEntry {
  content: Buffer;
  lfs: boolean;
}
interface Commit {
  oid: string;
  title: string;
  files: Map<string, HubEntry>;
}
interface Repo {
  visibility: string;
  commits: Commit[];
}

const LFS_FROM = 1000;
const PART = 40_000;
const sha256 = (content: Buffer) => createHash('sha256').update(content).digest('hex');
const gitSha1 = (content: Buffer) =>
  createHash('sha1').update(`blob ${content.length}\0`).update(content).digest('hex');

export interface LocalHub {
  endpoint: string;
  /** Where large files are. */
  storage: string;
  token: string;
  /** `datasets/owner/name` or `models/owner/name`. */
  repos: Map<string, Repo>;
  /** What both origins were asked, with the header that has the token. */
  requests: { origin: 'hub' | 'storage'; method: string; path: string; authorization: string | undefined }[];
  /** Called before a request is answered; true: it has been answered. */
  interfere: (request: IncomingMessage, response: ServerResponse) => boolean;
  /** Puts a commit on a repository, as somebody else would. */
  commit(repo: string, files: Record<string, string | Buffer>): Promise<string>;
  close(): void;
}

export async function startHub(): Promise<LocalHub> {
  const objects = new Map<string, Buffer>();
  const parts = new Map<string, Buffer>();
  const hub: LocalHub = {
    endpoint: '',
    storage: '',
    token: `hf_${randomUUID().replaceAll('-', '')}`,
    repos: new Map(),
    requests: [],
    interfere: () => false,
    close() {
      for (const server of [main, storage]) {
        server.close();
        server.closeAllConnections();
      }
    },
    async commit(name, files) {
      const repo = hub.repos.get(name) ?? { visibility: 'public', commits: [newCommit('initial', new Map())] };
      hub.repos.set(name, repo);
      const next = new Map(repo.commits.at(-1)?.files);
      for (const [path, content] of Object.entries(files)) {
        const bytes = Buffer.from(content);
        next.set(path, { content: bytes, lfs: bytes.length >= LFS_FROM });
        objects.set(sha256(bytes), bytes);
      }
      const made = newCommit('by hand', next);
      repo.commits.push(made);
      return made.oid;
    },
  };
  const serve = (origin: 'hub' | 'storage', answer: (request: IncomingMessage, path: string, body: Buffer) => Answer) =>
    createServer(async (request, response) => {
      const path = decodeURIComponent(request.url ?? '');
      const { authorization } = request.headers;
      hub.requests.push({ origin, method: request.method ?? '', path, authorization });
      const body = await buffer(request);
      if (hub.interfere(request, response)) return;
      const { status = 200, headers = {}, content = '' } = answer(request, path, body);
      const bytes = typeof content === 'string' || Buffer.isBuffer(content) ? content : JSON.stringify(content);
      response.writeHead(status, { 'content-length': Buffer.byteLength(bytes), ...headers });
      response.end(request.method === 'HEAD' ? undefined : bytes);
    });

  const storage = serve('storage', (request, path, body) => {
    if (request.headers.authorization !== undefined) return { status: 400, content: 'a token came to the storage' };
    const [, kind, key = ''] = /^\/(object|part|complete)\/([^?]+)/.exec(path) ?? [];
    if (kind === 'object' && request.method === 'PUT') {
      if (sha256(body) !== key) return { status: 400, content: 'other content' };
      objects.set(key, body);
      return {};
    }
    if (kind === 'part') {
      parts.set(key, body);
      return { headers: { etag: `"${sha256(body)}"` } };
    }
    if (kind === 'complete') {
      const { parts: listed } = JSON.parse(String(body)) as { parts: { partNumber: number; etag: string }[] };
      const whole = Buffer.concat(listed.map(({ partNumber }) => parts.get(`${key}/${partNumber}`) ?? Buffer.alloc(0)));
      if (sha256(whole) !== key || listed.some(({ etag }) => etag === ''))
        return { status: 400, content: 'wrong parts' };
      objects.set(key, whole);
      return {};
    }
    const content = objects.get(key);
    return content === undefined ? { status: 404 } : ranged(request, content, {});
  });

  const main = serve('hub', (request, path, body) => {
    const signedIn = request.headers.authorization === `Bearer ${hub.token}`;
    const [, route = ''] = /^([^?]*)/.exec(path) ?? [];
    if (route === '/api/repos/create') {
      if (!signedIn) return { status: 401, content: { error: 'Invalid credentials' } };
      const { name, organization, type = 'model', visibility } = JSON.parse(String(body)) as Record<string, string>;
      const key = `${type}s/${organization}/${name}`;
      if (hub.repos.has(key)) return { status: 409, content: { error: 'exists' } };
      const first = new Map([['.gitattributes', { content: Buffer.from('*.bin filter=lfs\n'), lfs: false }]]);
      hub.repos.set(key, { visibility: visibility ?? 'public', commits: [newCommit('initial commit', first)] });
      return { content: { url: `${hub.endpoint}/${key}`, id: `${organization}/${name}` } };
    }
    const found =
      /^\/(?:api\/(models|datasets)\/|(datasets)\/|)([^/]+\/[^/]+?)(?:\.git)?\/(revision|tree|preupload|commit|info|resolve)\/(.*)$/;
    const [, api, plain, name = '', action = '', rest = ''] = found.exec(route) ?? [];
    const repo = hub.repos.get(`${api ?? plain ?? 'models'}/${name}`);
    if (repo === undefined || (repo.visibility !== 'public' && !signedIn)) {
      return {
        status: signedIn ? 404 : 401,
        headers: { 'x-error-code': 'RepoNotFound' },
        content: { error: 'no repository' },
      };
    }
    const [revision = '', ...inner] = rest.split('/');
    const head = repo.commits.at(-1) as Commit;
    const commit = ['main', 'HEAD'].includes(revision) ? head : repo.commits.find(({ oid }) => oid === revision);
    if (action === 'info') return lfsBatch(JSON.parse(String(body)));
    if (commit === undefined) {
      return { status: 404, headers: { 'x-error-code': 'RevisionNotFound' }, content: { error: 'no revision' } };
    }
    if (action === 'revision') {
      const siblings = [...commit.files].map(([rfilename]) => ({ rfilename }));
      const time = '2026-01-01T00:00:00.000Z';
      const facts = { _id: 'x', id: name, sha: commit.oid, siblings, private: false, downloads: 0, likes: 0, tags: [] };
      return { content: { ...facts, gated: false, lastModified: time, createdAt: time } };
    }
    if (action === 'tree') return { content: [...commit.files].map(listed) };
    if (action === 'resolve') return resolveFile(request, commit, inner.join('/'));
    if (!signedIn) return { status: 401, content: { error: 'Invalid credentials' } };
    if (action === 'preupload') {
      const { files } = JSON.parse(String(body)) as { files: { path: string; size: number }[] };
      return {
        content: {
          files: files.map(({ path: one, size }) => ({ path: one, uploadMode: size < LFS_FROM ? 'regular' : 'lfs' })),
        },
      };
    }
    return takeCommit(repo, head, String(body));
  });

  function listed([path, { content, lfs }]: [string, HubEntry]) {
    const size = content.length;
    const pointer = { oid: sha256(content), size, pointerSize: 130 };
    return { type: 'file', path, size, oid: gitSha1(content), ...(lfs && { lfs: pointer }) };
  }

  function lfsBatch({
    objects: asked,
    transfers,
  }: {
    objects: { oid: string; size: number }[];
    transfers: string[];
  }): Answer {
    if (transfers.includes('xet')) return { status: 400, content: { error: 'xet is off' } };
    const answers = asked.map(({ oid, size }) => {
      if (objects.has(oid)) return { oid, size };
      if (size <= PART) return { oid, size, actions: { upload: { href: `${hub.storage}/object/${oid}` } } };
      const count = Math.ceil(size / PART);
      const places = Array.from({ length: count }, (_, index) => [
        String(index + 1).padStart(5, '0'),
        `${hub.storage}/part/${oid}/${index + 1}`,
      ]);
      const header = { chunk_size: String(PART), ...Object.fromEntries(places) };
      return { oid, size, actions: { upload: { href: `${hub.storage}/complete/${oid}`, header } } };
    });
    return { content: { transfer: asked.some(({ size }) => size > PART) ? 'multipart' : 'basic', objects: answers } };
  }

  function takeCommit(repo: Repo, head: Commit, body: string): Answer {
    const lines = body.split('\n').map((line) => JSON.parse(line) as { key: string; value: Record<string, string> });
    const header = lines.find(({ key }) => key === 'header')?.value ?? {};
    if (header.parentCommit !== undefined && header.parentCommit !== head.oid) {
      return { status: 412, content: { error: 'A commit has happened since' } };
    }
    const files = new Map(head.files);
    for (const { key, value } of lines) {
      const path = value.path ?? '';
      if (key === 'file') {
        files.set(path, { content: Buffer.from(value.content ?? '', value.encoding as BufferEncoding), lfs: false });
      }
      if (key === 'deletedFile') files.delete(path);
      if (key === 'lfsFile') {
        const content = objects.get(value.oid ?? '');
        if (content === undefined) return { status: 400, content: { error: `${path} was not sent` } };
        files.set(path, { content, lfs: true });
      }
    }
    const made = newCommit(header.summary ?? '', files);
    repo.commits.push(made);
    return { content: { commitOid: made.oid, commitUrl: `${hub.endpoint}/commit/${made.oid}`, hookOutput: '' } };
  }

  function resolveFile(request: IncomingMessage, commit: Commit, path: string): Answer {
    const entry = commit.files.get(path);
    if (entry === undefined) return { status: 404, headers: { 'x-error-code': 'EntryNotFound' } };
    const { content, lfs } = entry;
    const facts = { 'x-repo-commit': commit.oid, etag: `"${lfs ? sha256(content) : gitSha1(content)}"` };
    if (!lfs) return ranged(request, content, facts);
    const oid = sha256(content);
    const linked = { 'x-linked-size': content.length, 'x-linked-etag': `"${oid}"` };
    return { status: 302, headers: { ...facts, ...linked, location: `${hub.storage}/object/${oid}` } };
  }

  hub.endpoint = await listening(main);
  hub.storage = await listening(storage);
  return hub;
}

interface Answer {
  status?: number;
  headers?: Record<string, string | number>;
  content?: unknown;
}

function ranged(request: IncomingMessage, content: Buffer, facts: Record<string, string>): Answer {
  const [, from, to] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '') ?? [];
  const headers = { 'accept-ranges': 'bytes', ...facts };
  if (from === undefined || content.length === 0) {
    const range: Record<string, string> = from === undefined ? {} : { 'content-range': `bytes */${content.length}` };
    return { headers: { ...headers, ...range }, content };
  }
  const end = Math.min(content.length, to ? Number(to) + 1 : content.length);
  const range = `bytes ${from}-${end - 1}/${content.length}`;
  return { status: 206, headers: { ...headers, 'content-range': range }, content: content.subarray(Number(from), end) };
}

async function listening(server: Server): Promise<string> {
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

let commits = 0;
function newCommit(title: string, files: Map<string, HubEntry>): Commit {
  commits += 1;
  return { oid: createHash('sha1').update(`${commits} ${title}`).digest('hex'), title, files };
}
