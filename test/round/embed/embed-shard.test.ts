import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { embed, joinShards } from '../../../src/round/embed/embed.ts';
import { embedShard } from '../../../src/round/embed/embed-shard.ts';
import { temporaryFolder } from '../../helpers/temporary-folder.ts';
import { tinyContext, writeTinyRun } from '../tiny-run.ts';

/** A run whose images are embedded in this many shards. */
async function runOf(embeddingShards: number) {
  const folder = await temporaryFolder();
  const configFile = await writeTinyRun(folder, (config) => ({
    ...config,
    sampling: { ...config.sampling, embeddingShards },
  }));
  const context = await tinyContext(configFile);
  return { context, cache: join(folder, 'cache'), file: (path: string) => join(context.run.root, path) };
}

describe('embedding in shards', () => {
  it('gives the same rows as embedding at once, for any number of shards', async () => {
    const [whole, sharded] = [await runOf(1), await runOf(3)];
    await embed(whole.context);
    // Shards may run in any order, and are not run again.
    for (const shard of [2, 0]) await embedShard(sharded.context, { shard });
    expect(await embed(sharded.context)).toMatchObject({ reused: false });
    expect(await embedShard(sharded.context, { shard: 0 })).toMatchObject({ reused: true });
    for (const name of ['embeddings/embeddings.safetensors', 'embeddings/image_ids.json']) {
      expect(await readFile(sharded.file(name))).toEqual(await readFile(whole.file(name)));
    }
    expect((await readdir(sharded.file('embedding-shards'))).sort()).toEqual(['0-of-3', '1-of-3', '2-of-3']);
  });

  it('computes nothing that another run has computed', async () => {
    const { context, file } = await runOf(3);
    await embed(context);
    const rows = await readFile(file('embeddings/embeddings.safetensors'));
    for (const folder of ['embeddings', 'embedding-shards']) await rm(file(folder), { recursive: true });
    await embed({ ...context, trainer: { program: 'false', arguments: [] } });
    expect(await readFile(file('embeddings/embeddings.safetensors'))).toEqual(rows);
  });

  it('names the shard that is missing', async () => {
    const { context, file } = await runOf(2);
    await embedShard(context, { shard: 0 });
    await expect(joinShards(context)).rejects.toThrow(
      `${file('embedding-shards/1-of-2')}: this shard of the step embed`,
    );
  });
});
