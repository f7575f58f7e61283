/**
 * The file that `wandb sync` reads: records of protobuf in the log format of LevelDB, with a header of its own
 * (wandb/sdk/internal/datastore.py, wandb/proto/wandb_internal.proto; wandb 0.19).
 */
import { crc32 } from 'node:zlib';

const blockBytes = 32_768;
const headerBytes = 7;
const kinds = { full: 1, first: 2, middle: 3, last: 4 } as const;

/** A field of a message: its number, and a text, a whole number or an inner message. */
export type Field = readonly [number: number, value: string | number | Uint8Array];

/** A message of protobuf. Numbers are int32, int64 or bool, and not negative. */
export function message(fields: readonly Field[]): Uint8Array {
  const parts = fields.flatMap(([number, value]) => {
    if (typeof value === 'number') return [varint(number * 8), varint(value)];
    const bytes = typeof value === 'string' ? Buffer.from(value) : value;
    return [varint(number * 8 + 2), varint(bytes.length), bytes];
  });
  return Buffer.concat(parts);
}

function varint(value: number): Uint8Array {
  const bytes: number[] = [];
  let rest = value;
  while (rest >= 128) {
    bytes.push((rest % 128) + 128);
    rest = Math.floor(rest / 128);
  }
  return Uint8Array.from([...bytes, rest]);
}

/** The content of a file of records, each a whole message. */
export function logFile(records: readonly Uint8Array[]): Uint8Array {
  const header = Buffer.alloc(headerBytes);
  header.write(':W&B', 'latin1');
  header.writeUInt16LE(0xbee1, 4);
  const parts: Uint8Array[] = [header];
  let length = headerBytes;
  const push = (part: Uint8Array) => {
    parts.push(part);
    length += part.length;
  };
  for (const record of records) {
    for (let start = 0, isFirst = true; isFirst || start < record.length; isFirst = false) {
      const left = blockBytes - (length % blockBytes);
      // A header is never cut in two.
      if (left < headerBytes) push(Buffer.alloc(left));
      const room = blockBytes - (length % blockBytes) - headerBytes;
      const piece = record.subarray(start, start + room);
      start += piece.length;
      const isLast = start === record.length;
      push(chunk(piece, isFirst ? (isLast ? kinds.full : kinds.first) : isLast ? kinds.last : kinds.middle));
    }
  }
  return Buffer.concat(parts);
}

function chunk(piece: Uint8Array, kind: number): Uint8Array {
  const header = Buffer.alloc(headerBytes);
  header.writeUInt32LE(crc32(piece, crc32(Uint8Array.of(kind))));
  header.writeUInt16LE(piece.length, 4);
  header.writeUInt8(kind, 6);
  return Buffer.concat([header, piece]);
}
