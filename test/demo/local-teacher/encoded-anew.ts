import sharp from 'sharp';

/** The same pixels, up to the losses of JPEG, in another file without metadata. */
export async function withoutMetadata(image: Buffer): Promise<Buffer> {
  const { data, info } = await sharp(image).raw().toBuffer({ resolveWithObject: true });
  const raw = { width: info.width, height: info.height, channels: info.channels };
  return sharp(data, { raw }).jpeg({ quality: 80 }).toBuffer();
}
