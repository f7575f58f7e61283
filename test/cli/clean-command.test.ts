import { mkdir, readdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { clean } from '../../cli/clean-command.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';

async function cache() {
  const root = await temporaryFolder();
  const [folder, outside] = [join(root, '.cache'), join(root, 'outside')];
  await mkdir(join(folder, 'tensorflow', 'lib'), { recursive: true });
  await mkdir(outside);
  await writeFile(join(folder, 'tensorflow', 'lib', 'library'), Buffer.alloc(3_000_000, 1));
  await writeFile(join(folder, 'setup.json'), '{}');
  await writeFile(join(outside, 'kept'), 'kept');
  await symlink(outside, join(folder, 'link'));
  return { folder, outside };
}

async function saidBy(work: () => Promise<void>): Promise<string> {
  const write = vi.spyOn(process.stdout, 'write').mockReturnValue(true);
  try {
    await work();
    return write.mock.calls.join('');
  } finally {
    write.mockRestore();
  }
}

test('says what each entry takes, the largest first, removes all, and follows no link', async () => {
  const { folder, outside } = await cache();
  const said = await saidBy(() => clean({ folder, yes: true }));
  expect(said).toMatch(/tensorflow +│ +3\.0 MB [\s\S]*setup\.json/);
  expect(said).toContain('3.0 MB removed. `npm run setup` downloads again what is needed.');
  expect(await readdir(folder)).toEqual([]);
  expect(await readdir(outside)).toEqual(['kept']);
  expect(await saidBy(() => clean({ folder, yes: true }))).toBe(`${folder} has nothing to remove\n`);
});

test('removes nothing where nobody can be asked, or while a set-up is running', async () => {
  const { folder } = await cache();
  await saidBy(async () => {
    await expect(clean({ folder, yes: false })).rejects.toThrow(
      '--yes: is missing, and there is no terminal to ask on',
    );
    await writeFile(join(folder, 'setup.lock'), '1');
    await expect(clean({ folder, yes: true })).rejects.toThrow('setup.lock: a set-up is running, or was killed');
  });
  expect(await readdir(folder)).toHaveLength(4);
});
