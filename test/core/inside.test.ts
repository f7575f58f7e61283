import { mkdir, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { followLinks, innerPath, isBelow, joinInside } from '../../src/core/inside.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';

test('a path is joined inside its folder only', () => {
  for (const path of ['a.jpg', 'a/b.jpg', 'a..b', '...', 'é/ä'])
    expect(joinInside('/data', path)).toBe(join('/data', path));
  for (const path of ['', '..', '../a', 'a/../../b', '/etc', 'C:\\x', '\\\\host\\x', 'a\\..\\b', 'a\0b'])
    expect(() => joinInside('/data', path, 'record.json'), path).toThrow(
      /^record\.json: the path .* leads out of its folder/,
    );
});

test('a folder below another is distinguished from one with a longer name', () => {
  expect(isBelow('/runs/a', ['/runs'])).toBe(true);
  expect(isBelow('/runs', ['/runs'])).toBe(true);
  expect(isBelow('/runs-of-others', ['/runs'])).toBe(false);
  expect(isBelow('/', ['/runs'])).toBe(false);
  expect(isBelow('/runs/..a', ['/runs'])).toBe(true);
});

test('symbolic links are followed as far as the path exists', async () => {
  const folder = await temporaryFolder();
  await mkdir(join(folder, 'real'));
  await symlink(join(folder, 'real'), join(folder, 'link'));
  expect(await followLinks(join(folder, 'link', 'new', 'file'))).toBe(join(folder, 'real', 'new', 'file'));
});

test('a path that no disk takes, or that is the folder itself, is refused', () => {
  for (const path of ['a'.repeat(256), 'ä'.repeat(128), 'a/'.repeat(600)]) {
    expect(() => joinInside('/runs/demo', path, 'folder.json')).toThrow(
      /^folder\.json: the path "[^"]+" is too long\./,
    );
    expect(innerPath.safeParse(path).error?.issues[0]?.message).toBe('is too long for a path');
  }
  for (const path of ['.', './', './.', '/', '']) {
    expect(() => joinInside('/runs/demo', path)).toThrow('leads out of its folder');
    expect(innerPath.safeParse(path).success).toBe(false);
  }
  expect(joinInside('/runs/demo', `${'a'.repeat(255)}/b`)).toBe(`/runs/demo/${'a'.repeat(255)}/b`);
});
