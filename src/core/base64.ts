const equals = 0x3d;

/** The bytes of a text in base64; undefined for what is none, which Node ignores. Spaces and line breaks may be in it. */
export function decodeBase64(text: string): Buffer | undefined {
  const content = Buffer.from(text, 'base64');
  const characters = /\s/.test(text) ? text.replace(/\s+/g, '') : text;
  let length = characters.length;
  // Not by a pattern, which would look for the end from each of many equal signs.
  while (characters.charCodeAt(length - 1) === equals) length -= 1;
  return content.length >= Math.floor((length * 3) / 4) ? content : undefined;
}
