/** SeaweedFS takes 15 to 20 seconds to be there again after `kill -9`. */
import { createHash, randomBytes } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { bucket, s3Server } from '../../../bench/support/s3-server.ts';
import { openS3Store } from '../../../src/core/remote/s3-store.ts';
import { useS3Server } from '../../helpers/s3-server.ts';
import { temporaryFolder } from '../../helpers/temporary-folder.ts';

const server = useS3Server();

it.skipIf(s3Server === undefined)(
  'a transfer gets through a server that is killed and started again in the middle',
  async () => {
    const folder = await temporaryFolder();
    const body = randomBytes(40 * 1024 * 1024);
    const file = join(folder, 'weights');
    await writeFile(file, body);
    const sha256 = createHash('sha256').update(body).digest('hex');
    const store = openS3Store(`s3://${bucket}/restart`);
    let restarted: Promise<void> | undefined;
    const restartOnce = (bytes: number) => {
      if (bytes > 0) restarted ??= server.kill().then(() => server.start());
    };
    await store.upload(sha256, file, { onProgress: restartOnce });
    await restarted;
    restarted = undefined;
    await store.download(sha256, join(folder, 'back'), { size: body.length, sha256 }, { onProgress: restartOnce });
    await restarted;
    expect((await readFile(join(folder, 'back'))).equals(body)).toBe(true);
  },
);
