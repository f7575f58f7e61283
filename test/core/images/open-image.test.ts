import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { hashBytes } from '../../../src/core/hash.ts';
import type { ExifMode } from '../../../src/core/images/image-kind.ts';
import { encodeAnew, openImage, portableImage, shrinkImage } from '../../../src/core/images/open-image.ts';
import { InputError } from '../../../src/core/input-error.ts';
import { readJson } from '../../../src/core/read-json.ts';
import { photoWithMetadata, secretWords } from '../../helpers/photo.ts';
import { temporaryFolder } from '../../helpers/temporary-folder.ts';

const fixtures = fileURLToPath(new URL('../../fixtures/', import.meta.url));
const opened = z.object({ size: z.tuple([z.int(), z.int()]), sha256: z.string() });
const expectedSchema = z.record(
  z.string(),
  z.union([z.object({ apply: opened, ignore: opened }), z.literal('refused')]),
);
// What src/trainer/torch/images.py makes of each: test/fixtures/make-ugly-images-fixture.py.
const expected = await readJson(path.join(fixtures, 'opened-images.json'), expectedSchema);

const namesIn = (folder: string) => readdirSync(path.join(fixtures, folder));
const file = (name: string) => path.join(fixtures, name);
const facts = (source: string | Buffer, exif?: ExifMode) =>
  openImage(source, { exif }, ({ width, height, data }) => ({
    size: [width, height],
    sha256: hashBytes(Uint8Array.from(data)),
  }));

describe('the two trainers open alike, to the last bit', () => {
  const folders = ['ugly-images', 'images-of-two-trainers'];
  it.each(folders.flatMap((folder) => namesIn(folder).map((name) => [folder, name])))('%s/%s', async (folder, name) => {
    const source = path.join(fixtures, folder, name);
    const found = expected[name];
    if (found === 'refused' || found === undefined) return expect(facts(source)).rejects.toThrow(InputError);
    expect(await facts(source, 'apply')).toEqual(found.apply);
    expect(await facts(source, 'ignore')).toEqual(found.ignore);
    expect(await facts(source)).toEqual(found.apply);
  });

  it('covers every image that there is an expectation of', () => {
    expect(folders.flatMap(namesIn).sort()).toEqual(Object.keys(expected).sort());
  });
});

describe('an image for programs that open it in their own way', () => {
  it('is the file itself where all see the same in it, and its pixels where not', async () => {
    const plain = file('images/wide.jpg');
    expect(await portableImage(plain, {})).toEqual({ kind: 'jpeg', content: await readFile(plain), isCopy: false });
    for (const name of ['exif6.jpg', 'rgba.png', 'gray16.png', 'cmyk.jpg', 'rgb.tif', 'anim.gif']) {
      const { kind, content } = await portableImage(file(`ugly-images/${name}`), {});
      expect(kind, name).toBe('png');
      expect(await facts(content, 'ignore'), name).toEqual((expected[name] as { apply: unknown }).apply);
    }
    const asStored = await portableImage(file('ugly-images/exif6.jpg'), { exif: 'ignore' });
    expect(await facts(asStored.content)).toEqual((expected['exif6.jpg'] as { ignore: unknown }).ignore);
  });

  it('is named by its file when it is cut short, also where its pixels are needed', async () => {
    const whole = await readFile(file('ugly-images/rgba.png'));
    const cut = path.join(await temporaryFolder(), 'cut.png');
    await writeFile(cut, whole.subarray(0, whole.length / 2));
    await expect(portableImage(cut, {})).rejects.toThrow(`${cut}: is cut short or not an image`);
  });

  it('is small on request, and never enlarged', async () => {
    expect(await shrinkImage(file('ugly-images/130x90.png'), 13)).toMatchObject({ width: 13, height: 9 });
    expect(await shrinkImage(file('ugly-images/2x3.png'), 13)).toMatchObject({ width: 2, height: 3 });
  });
});

describe('an image encoded anew', () => {
  const whole = { longestSide: 8192 };

  it('has the pixels that every reader sees, and nothing but pixels', async () => {
    for (const name of ['exif6.png', 'exif6.webp', 'rgba.png', 'gray16.png', 'rgb.tif', 'anim.gif', 'text-exif.png']) {
      const { kind, content } = await encodeAnew(file(`ugly-images/${name}`), whole);
      expect(kind, name).toBe('png');
      expect(await facts(content, 'ignore'), name).toEqual((expected[name] as { apply: unknown }).apply);
      const chunks = content.toString('latin1').match(/IHDR|PLTE|tEXt|zTXt|iTXt|eXIf|iCCP|tIME|IDAT|IEND/g);
      expect(new Set(chunks), name).toEqual(new Set(['IHDR', 'IDAT', 'IEND']));
    }
    const asStored = await encodeAnew(file('ugly-images/exif6.png'), { ...whole, exif: 'ignore' });
    expect(await facts(asStored.content)).toEqual((expected['exif6.png'] as { ignore: unknown }).ignore);
  });

  it.each(['jpeg', 'png'] as const)('keeps no metadata of a photo, is upright and in sRGB: %s', async (kind) => {
    const source = path.join(await temporaryFolder(), 'photo');
    const photo = await photoWithMetadata(60, 40, kind);
    await writeFile(source, photo);
    expect(await sharp(photo).metadata()).toMatchObject({ width: 40, height: 60, orientation: 6, hasProfile: true });
    const fresh = await encodeAnew(source, whole);
    expect(fresh.kind).toBe(kind);
    for (const word of secretWords) expect(fresh.content.includes(word), word).toBe(false);
    const { width, height, exif, xmp, iptc, icc, orientation } = await sharp(fresh.content).metadata();
    expect({ width, height, exif, xmp, iptc, icc, orientation }).toEqual({ width: 60, height: 40 });
    const [first, last] = await openImage(fresh.content, {}, ({ data }) => [
      [...data.slice(0, 3)],
      [...data.slice(-3)],
    ]);
    const near = (color: number[] | undefined, wanted: number[]) =>
      color?.forEach((value, channel) => {
        expect(Math.abs(value - (wanted[channel] as number))).toBeLessThanOrEqual(6);
      });
    near(first, [255, 0, 0]);
    near(last, [0, 0, 255]);
    expect((await encodeAnew(source, whole)).content.equals(fresh.content)).toBe(true);
  });

  it('is converted by the profile of a CMYK image too, and by none where the profile is broken', async () => {
    const folder = await temporaryFolder();
    const firstPixel = async (name: string, content: Buffer) => {
      await writeFile(path.join(folder, name), content);
      const fresh = await encodeAnew(path.join(folder, name), whole);
      const pixel = (source: string | Buffer) => openImage(source, {}, ({ data }) => [...data.slice(0, 3)]);
      return { fresh: await pixel(fresh.content), asIs: await pixel(path.join(folder, name)) };
    };
    const red = sharp({ create: { width: 30, height: 30, channels: 3, background: 'red' } });
    const printed = red.clone().withIccProfile('cmyk').toColourspace('cmyk').jpeg();
    const cmyk = await firstPixel('cmyk.jpg', await printed.toBuffer());
    const expectedRed = (
      await sharp(await printed.toBuffer())
        .raw()
        .toBuffer()
    ).subarray(0, 3);
    for (const [channel, value] of expectedRed.entries()) {
      expect(Math.abs((cmyk.fresh[channel] as number) - value)).toBeLessThanOrEqual(3);
    }
    expect(cmyk.fresh).not.toEqual(cmyk.asIs);
    const broken = await red.clone().withIccProfile('p3').jpeg().toBuffer();
    const profile = broken.indexOf('ICC_PROFILE');
    const { fresh, asIs } = await firstPixel('broken.jpg', broken.fill(7, profile + 20, profile + 200));
    expect(fresh).toEqual(asIs);
  });

  it('has a longest side, and is never enlarged', async () => {
    const sizeOf = async (name: string, longestSide: number) => {
      const { content } = await encodeAnew(file(`ugly-images/${name}`), { longestSide });
      const { width, height } = await sharp(content).metadata();
      return [width, height];
    };
    expect(await sizeOf('130x90.png', 65)).toEqual([65, 45]);
    expect(await sizeOf('7x600.png', 60)).toEqual([1, 60]);
    expect(await sizeOf('2x3.png', 65)).toEqual([2, 3]);
  });

  it('is refused by its name when it is cut short', async () => {
    const cut = file('ugly-images/cut-q75.jpg');
    await expect(encodeAnew(cut, whole)).rejects.toThrow(`${cut}: is cut short or not an image`);
  });
});

describe('what is no regular image file is refused before it is read', () => {
  const refused = (source: string) =>
    expect(facts(source)).rejects.toThrow(`${source}: is not a file that holds an image`);

  it('a pipe that nobody writes into, and a link to one', async () => {
    const folder = await temporaryFolder();
    execFileSync('mkfifo', [path.join(folder, '1.jpg')]);
    await symlink(path.join(folder, '1.jpg'), path.join(folder, '2.jpg'));
    await refused(path.join(folder, '1.jpg'));
    await refused(path.join(folder, '2.jpg'));
  });

  it('a device that never ends, a folder, a socket', async () => {
    await refused('/dev/zero');
    const folder = await temporaryFolder();
    await mkdir(path.join(folder, '3.jpg'));
    await refused(path.join(folder, '3.jpg'));
    const server = createServer().listen(path.join(folder, '4.jpg'));
    await expect(facts(path.join(folder, '4.jpg'))).rejects.toThrow(`${path.join(folder, '4.jpg')}: `);
    server.close();
  });
});

describe('memory', () => {
  it('an image that claims more pixels than any camera takes is refused before it is decoded', async () => {
    const honest = await sharp({ create: { width: 8, height: 8, channels: 3, background: 'red' } })
      .png({ compressionLevel: 0 })
      .toBuffer();
    honest.writeUInt32BE(60_000, 16);
    honest.writeUInt32BE(60_000, 20);
    await expect(facts(honest)).rejects.toThrow('image in memory: claims 3600000000 pixels, more than the 150000000');
  });

  it('large images wait for one another', async () => {
    const folder = await temporaryFolder();
    const large = path.join(folder, 'large.png');
    await writeFile(
      large,
      await sharp({ create: { width: 9_000, height: 9_000, channels: 3, background: 'red' } })
        .png()
        .toBuffer(),
    );
    let open = 0;
    let most = 0;
    const hold = () =>
      openImage(large, {}, async () => {
        most = Math.max(most, ++open);
        await new Promise((resolve) => setTimeout(resolve, 20));
        open -= 1;
      });
    await Promise.all(Array.from({ length: 4 }, hold));
    expect(most).toBe(1);
  });
});
