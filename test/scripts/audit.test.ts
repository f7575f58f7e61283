/**
 * The audit, with npm itself, against a registry that answers as the test wants.
 */
import { execFile } from 'node:child_process';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { temporaryFolder } from '../helpers/temporary-folder.ts';

const script = fileURLToPath(new URL('../../scripts/audit.mjs', import.meta.url));

const advisory = (severity: string) => ({
  id: 1,
  url: 'https://example.org/advisory',
  title: 'A made-up hole',
  severity,
  vulnerable_versions: '>=0.0.0',
  cwe: [],
  cvss: { score: 0, vectorString: null },
});

async function audit(status: number, advisories: object): Promise<{ code: number; output: string; asked: number }> {
  let asked = 0;
  const registry = createServer((request, response) => {
    const isQuestion = request.url === '/-/npm/v1/security/advisories/bulk';
    if (isQuestion) asked += 1;
    response.writeHead(isQuestion ? status : 404, { 'content-type': 'application/json' });
    response.end(JSON.stringify(isQuestion ? advisories : {}));
  });
  await new Promise<void>((resolve) => registry.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    registry.closeAllConnections();
    registry.close();
  });
  const env = {
    ...process.env,
    npm_config_registry: `http://127.0.0.1:${(registry.address() as AddressInfo).port}/`,
    npm_config_cache: await temporaryFolder(),
    npm_config_fetch_retries: '0',
  };
  return new Promise((resolve) => {
    execFile(process.execPath, [script], { env }, (error, output, errors) => {
      resolve({ code: typeof error?.code === 'number' ? error.code : 0, output: output + errors, asked });
    });
  });
}

test('no advisory passes, and says how many packages were asked about', async () => {
  const { code, output, asked } = await audit(200, {});
  expect(output).toMatch(/No known vulnerability of severity high or critical in [1-9]\d+ packages/);
  // About package-lock.json, and about what the set-up installs for TensorFlow's addon where npm installed this project.
  expect([code, asked]).toEqual([0, 2]);
});

test.each(['high', 'critical'])(
  'one of severity %s in a package that we ship fails, and is named',
  async (severity) => {
    const { code, output } = await audit(200, { zod: [advisory(severity)] });
    expect(output).toContain(`✗ zod (${severity}): A made-up hole (>=0.0.0), https://example.org/advisory`);
    expect(code).toBe(1);
  },
);

test('so does one in a package that TensorFlow’s addon takes', async () => {
  const { code, output } = await audit(200, { '@tensorflow/tfjs-core': [advisory('high')] });
  expect(output).toContain('✗ @tensorflow/tfjs-core (high): A made-up hole');
  expect(code).toBe(1);
});

test('a lesser one, and a severe one in a tool for development, pass', async () => {
  const { code, output } = await audit(200, { zod: [advisory('moderate')], typescript: [advisory('critical')] });
  expect(output).toContain('No known vulnerability');
  expect(code).toBe(0);
});

test('skips with a message when the registry refuses the request', async () => {
  const { code, output, asked } = await audit(405, {});
  expect(output).toMatch(/^Skipped: the registry cannot be asked about vulnerabilities \(405 Method Not Allowed/m);
  expect([code, asked > 0]).toEqual([0, true]);
});
