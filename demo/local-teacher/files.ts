import { errorReply, type Reply } from './http.ts';

/** Uploaded files, and those of batches, in memory. */
export interface FileStore {
  add(content: Uint8Array, name: string, purpose: string): { id: string };
  content(id: string): Uint8Array | undefined;
  /** Answers `/v1/files…`. */
  handle(method: string, path: string, body: Buffer, contentType: string): Promise<Reply>;
}

interface StoredFile {
  id: string;
  object: 'file';
  bytes: number;
  created_at: number;
  filename: string;
  purpose: string;
}

/** What all files together may take of the memory. */
const defaultMostBytes = 2e9;

export function createFileStore({ mostBytes = defaultMostBytes } = {}): FileStore {
  const files = new Map<string, { file: StoredFile; content: Uint8Array }>();
  let added = 0;
  let kept = 0;
  const add: FileStore['add'] = (content, filename, purpose) => {
    added += 1;
    kept += content.length;
    // Never one that a deleted file had.
    const id = `file-${added}`;
    const created_at = Math.floor(Date.now() / 1000);
    const file: StoredFile = { id, object: 'file', bytes: content.length, created_at, filename, purpose };
    files.set(id, { file, content });
    return file;
  };

  const upload = async (body: Buffer, contentType: string): Promise<Reply> => {
    const form = await new Response(new Uint8Array(body), { headers: { 'content-type': contentType } })
      .formData()
      .catch(() => undefined);
    const file = form?.get('file');
    const purpose = form?.get('purpose');
    if (!(file instanceof Blob) || typeof purpose !== 'string')
      return errorReply(400, 'A form with "file" and "purpose" is expected');
    if (kept + file.size > mostBytes) return errorReply(413, 'The files take too much memory: delete some');
    return { status: 200, body: add(new Uint8Array(await file.arrayBuffer()), file.name, purpose) };
  };

  return {
    add,
    content: (id) => files.get(id)?.content,
    async handle(method, path, body, contentType) {
      if (method === 'POST' && path === '/v1/files') return upload(body, contentType);
      if (method === 'GET' && path === '/v1/files') {
        return {
          status: 200,
          body: { object: 'list', data: [...files.values()].map(({ file }) => file), has_more: false },
        };
      }
      const [, id = '', part] = /^\/v1\/files\/([^/]+)(\/content)?$/.exec(path) ?? [];
      const stored = files.get(id);
      if (!stored) return errorReply(404, `No such file: ${id || path}`);
      if (method === 'DELETE') {
        files.delete(id);
        kept -= stored.content.length;
        return { status: 200, body: { id, object: 'file', deleted: true } };
      }
      return { status: 200, body: part ? stored.content : stored.file };
    },
  };
}
