/** What an object store must be able to do. S3 is one (`s3-store.ts`). */

/** A small object, as it was when it was read. */
export interface SmallObject {
  body: Buffer;
  /** Changes with every write. */
  version: string;
}

export interface TransferOptions {
  signal?: AbortSignal | undefined;
  /** Called with the bytes so far, including those of an earlier attempt. */
  onProgress?: ((bytes: number) => void) | undefined;
}

/** Keys are relative to the store's URI. Objects that are not small are transferred from and to files. */
export interface ObjectStore {
  /** `s3://bucket/prefix` */
  uri: string;
  /**
   * Undefined when there is none.
   *
   * @param options.mostBytes its size at most; default 256 MiB
   * @throws InputError when it is larger
   */
  read(key: string, options?: { mostBytes?: number }): Promise<SmallObject | undefined>;
  /** Bytes; undefined when there is none. */
  sizeOf(key: string): Promise<number | undefined>;
  /**
   * @param options.only write only if there is no object yet, or if it has this version. No other writer may write the same
   *   body: by it a writer recognizes its own write when the answer was lost
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
   * Uploads a file, large ones in parts. Parts that an interrupted attempt uploaded are not uploaded again, so the key must
   * stand for the content. The object appears whole or not at all.
   */
  upload(key: string, file: string, options?: TransferOptions): Promise<void>;
  /**
   * Downloads an object into a file, large ones in parts. Parts that an interrupted attempt downloaded are kept.
   *
   * @param expected.size bytes
   * @throws DamagedObject when two downloads don't have the expected hash
   */
  download(
    key: string,
    file: string,
    expected: { size: number; sha256: string },
    options?: TransferOptions,
  ): Promise<void>;
}
