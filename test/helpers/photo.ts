import sharp from 'sharp';

/** What the metadata of `photoWithMetadata` says of who took it and where. */
export const secretWords = ['A. Person', 'Serial 4711', 'urn:secret-xmp', 'Exif', 'GPS', 'http://ns.adobe.com'];

/**
 * A photo as a telephone writes it: stored lying, red above and blue below once it is upright, in Display P3, with a person's
 * name, a place and XMP.
 *
 * @param width of the upright image, of which the file stores the height as its width
 */
export async function photoWithMetadata(width: number, height: number, kind: 'jpeg' | 'png' = 'jpeg'): Promise<Buffer> {
  const half = (background: string) => ({
    create: { width: height / 2, height: width, channels: 3 as const, background },
  });
  // EXIF 6: the stored left side is the upright top.
  const lying = await sharp({ create: { width: height, height: width, channels: 3, background: 'blue' } })
    .composite([{ input: half('red'), left: 0, top: 0 }])
    .png()
    .toBuffer();
  const photo = sharp(lying)
    .withIccProfile('p3')
    .withExif({
      IFD0: { Artist: 'A. Person', Orientation: '6' },
      IFD2: { BodySerialNumber: 'Serial 4711' },
      IFD3: { GPSLatitudeRef: 'N', GPSLatitude: '52/1 30/1 0/1', GPSLongitudeRef: 'E', GPSLongitude: '13/1 24/1 0/1' },
    })
    .withXmp(`<x:xmpmeta xmlns:x="adobe:ns:meta/"><secret>urn:secret-xmp</secret></x:xmpmeta>`)
    .withMetadata({ orientation: 6 });
  return kind === 'jpeg' ? photo.jpeg({ quality: 95, chromaSubsampling: '4:4:4' }).toBuffer() : photo.png().toBuffer();
}
