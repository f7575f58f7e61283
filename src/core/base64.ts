/** The bytes of a text in base64; undefined for what is none, which Node ignores. Spaces and line breaks may be in it. */
export function decodeBase64(text: string): Buffer | undefined {
  const content = Buffer.from(text, 'base64');
  const isWhole = content.length >= Math.floor((text.replace(/\s|=+$/g, '').length * 3) / 4);
  return isWhole ? content : undefined;
}
