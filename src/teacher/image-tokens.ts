/**
 * How many tokens an image has, by the model's published rule: OpenAI's guide "Images and vision", sections on sizing and
 * on costs (https://developers.openai.com/api/docs/guides/images-vision, as of November 2026; for models that it lists as
 * deprecated, the limits of its earlier versions). Batches and Azure count alike.
 */

/** Pixels. */
export interface ImageSize {
  width: number;
  height: number;
}

/** `detail` of the chat-completions protocol. */
export type ImageDetail = 'low' | 'high';

/** An image that goes with a request. */
export interface AttachedImage {
  /** As it is sent, by what is known of it before its file is read. */
  size: ImageSize;
  /** Reads it, as a data URL. */
  url(): Promise<string>;
}

/** A rule's count for an image of this size. */
type Rule = (size: ImageSize, detail: ImageDetail) => number;

const [patchSide, tileSide] = [32, 512];
/** Of pixels, so that 768 is not 767. */
const roundingError = 1e-6;
const anySide = { side: 2048 };

/** By model, the first that fits. A prefix such as `ft:` or `openai/` and a date or a suffix of tuning are passed over. */
const rules: readonly [RegExp, Rule][] = [
  [model('gpt-5\\.[56](?:-[a-z]+)?'), patches(1.2, { low: { side: 512 }, high: { ...anySide, patches: 2500 } })],
  [
    model('gpt-5\\.4(?:-mini|-nano)?'),
    patches(1.2, { low: { ...anySide, patches: 6144 }, high: { ...anySide, patches: 2500 } }),
  ],
  [model('gpt-5\\.2'), patches(1.2, { ...anySide, patches: 6144 })],
  [model('gpt-5-mini'), patches(1.2, { ...anySide, patches: 1536 })],
  [model('gpt-5-nano'), patches(1.5, { ...anySide, patches: 1536 })],
  [model('gpt-4\\.1-mini'), patches(1.62, { ...anySide, patches: 6144 })],
  [model('gpt-4\\.1-nano'), patches(2.46, { ...anySide, patches: 1536 })],
  [model('o4-mini'), patches(1.72, { ...anySide, patches: 1536 })],
  [model('gpt-5(?:\\.1)?'), tiles(70, 140)],
  [model('gpt-4o-mini'), tiles(2833, 5667)],
  [model('gpt-4(?:o|\\.1|\\.5|-turbo|-32k|-(?:\\d{4}-)?vision)?'), tiles(85, 170)],
  [model('(?:o1|o3)(?:-pro)?'), tiles(75, 150)],
];

/**
 * The tokens of an image. A model without a published rule counts one for each 28 × 28 pixels, as Qwen2-VL and Claude do
 * (arXiv 2409.12191), whatever the detail, and at least 1024: more than LLaVA-1.5's 576 for every image.
 *
 * @param size as the image is sent
 */
export function imageTokens(model: string, size: ImageSize, detail: ImageDetail): number {
  const [, rule = unknownModel] = rules.find(([name]) => name.test(model)) ?? [];
  return rule(size, detail);
}

/** The tokens of an image by its data URL. One whose size can't be read counts as large as any model takes it. */
export function imageUrlTokens(model: string, url: string, detail: ImageDetail): number {
  return imageTokens(model, sizeInUrl(url) ?? { width: anySide.side, height: anySide.side }, detail);
}

/** The size of an image whose longest side is limited; it is never enlarged. */
export function limitedSize({ width, height }: ImageSize, longestSide: number): ImageSize {
  const scale = Math.min(1, longestSide / Math.max(width, height));
  const scaled = (side: number) => Math.max(1, Math.round(side * scale));
  return { width: scaled(width), height: scaled(height) };
}

function model(name: string): RegExp {
  const [prefix, suffix] = ['(?:ft:|[\\w.-]+/)*', '(?:-chat)?(?:-latest|-preview|-\\d{4}(?:-\\d\\d-\\d\\d)?)?(?::.*)?'];
  return new RegExp(`^${prefix}${name}${suffix}$`, 'i');
}

/** Fixed at low detail; else so many for each tile of the image, whose shortest side is first limited to 768. */
function tiles(base: number, each: number): Rule {
  return (size, detail) => {
    if (detail === 'low') return base;
    const { width, height } = limitedSize(size, anySide.side);
    const scale = Math.min(1, 768 / Math.min(width, height));
    const across = (side: number) => Math.ceil(Math.max(1, Math.floor(side * scale + roundingError)) / tileSide);
    return base + each * across(width) * across(height);
  };
}

/** The largest image that a model takes; a larger one is scaled down. */
interface Limits {
  side: number;
  patches?: number;
}

/** So many for each patch of the image. */
function patches(multiplier: number, limits: Limits | Record<ImageDetail, Limits>): Rule {
  return (size, detail) => {
    const { side, patches: most = Number.POSITIVE_INFINITY } = 'side' in limits ? limits : limits[detail];
    const { width, height } = limitedSize(size, side);
    const whole = patchesIn({ width, height });
    if (whole <= most) return Math.ceil(whole * multiplier);
    const shrink = Math.sqrt((patchSide ** 2 * most) / (width * height));
    // So that one of the sides has no part of a patch.
    const wholeShare = (side: number) => Math.floor((side * shrink) / patchSide) / ((side * shrink) / patchSide);
    const adjusted = shrink * Math.min(wholeShare(width), wholeShare(height));
    const resized = (side: number) => Math.floor(side * adjusted + roundingError);
    return Math.ceil(patchesIn({ width: resized(width), height: resized(height) }) * multiplier);
  };
}

function patchesIn({ width, height }: ImageSize, side = patchSide): number {
  return Math.ceil(width / side) * Math.ceil(height / side);
}

const unknownModel: Rule = (size) => Math.max(1024, patchesIn(size, 28));

/** Of the base64; what this program encodes has its size within. */
const headLength = 4096;

/** The size that the head of a PNG or a JPEG says. */
function sizeInUrl(url: string): ImageSize | undefined {
  const [, kind, start = ''] = new RegExp(`^data:image/(png|jpeg);base64,(.{0,${headLength}})`).exec(url) ?? [];
  const head = Buffer.from(start, 'base64');
  if (kind === 'png') {
    return head.length < 24 ? undefined : { width: head.readUInt32BE(16), height: head.readUInt32BE(20) };
  }
  // Behind its first two bytes, a JPEG is segments of a marker, a length and content; the frame's has the size.
  for (let at = 2; kind === 'jpeg' && at + 9 <= head.length && head[at] === 0xff; at += 2 + head.readUInt16BE(at + 2)) {
    const marker = head[at + 1] as number;
    const isFrame = marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker);
    if (isFrame) return { width: head.readUInt16BE(at + 7), height: head.readUInt16BE(at + 5) };
  }
  return undefined;
}
