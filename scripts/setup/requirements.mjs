/**
 * Reads a requirements file of pip in which every package is pinned: `name==version`, a marker after `;`, and hashes.
 *
 * @returns {{ name: string, version: string, marker: string | undefined, hashes: string[] }[]} names as PyPI normalizes
 *   them, hashes as SHA-256 in hexadecimal
 */
export function parseRequirements(text, file) {
  const lines = text
    .replaceAll('\\\n', ' ')
    .split('\n')
    .map((line) => line.replace(/(^|\s)#.*$/, '').trim())
    .filter((line) => line !== '');
  return lines.map((line) => {
    const [, name, version, marker, options] =
      /^([A-Za-z0-9][A-Za-z0-9._-]*)==([^\s;]+)(?:\s*;\s*(.*?))?((?:\s+--hash=sha256:[0-9a-f]{64})*)$/.exec(line) ?? [];
    if (name === undefined) throw new Error(`${file}: "${line}" pins no package`);
    const hashes = [...options.matchAll(/sha256:([0-9a-f]{64})/g)].map(([, hash]) => hash);
    return { name: name.toLowerCase().replaceAll(/[-_.]+/g, '-'), version, marker, hashes };
  });
}
