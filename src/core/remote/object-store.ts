/** What a store of objects must be able to do. S3 is one (`s3-store.ts`). */

/** A small object, as it was at one moment. */
export interface SmallObject {
  body: Buffer;
  /** Changes with every write. */
  version: string;
}

export interface TransferOptions {
  signal?: AbortSignal | undefined;
  /** Bytes so far, those of an earlier attempt included. */
  onProgress?: ((bytes: number) => void) | undefined;
}

/** Keys are relative to the store's URI; contents of objects that are not small travel as files. */
export interface ObjectStore {
  /** `s3://bucket/prefix` */
  uri: string;
  /** Undefined when there is none. */
  read(key: string): Promise<SmallObject | undefined>;
  /** Bytes; undefined when there is none. */
  sizeOf(key: string): Promise<number | undefined>;
  /**
   * @param options.only write only if there is no object yet, or the one there is of this version. The body must be one
   *   that no other writer writes: by it a writer tells its own write whose answer was lost
   * @returns the version written; undefined when there is another
   */
  write(
    key: string,
    body: string | Uint8Array,
    options?: { only?: 'if absent' | { version: string } | undefined; contentType?: string | undefined },
  ): Promise<string | undefined>;
  list(prefix: string): AsyncIterable<{ key: string; size: number }>;
  remove(keys: readonly string[]): Promise<void>;
  /**
   * Sends a file, large ones in parts; what an interrupted attempt sent of the same file is not sent again, so the key
   * must stand for the content. The object appears whole or not at all.
   */
  upload(key: string, file: string, options?: TransferOptions): Promise<void>;
  /**
   * Fetches an object into a file, large ones in parts; what an interrupted attempt fetched is not fetched again.
   *
   * @param expected.size bytes
   * @throws DamagedObject when what was fetched twice is not what is expected
   */
  download(
    key: string,
    file: string,
    expected: { size: number; sha256: string },
    options?: TransferOptions,
  ): Promise<void>;
}
