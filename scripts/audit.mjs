#!/usr/bin/env node
/**
 * Fails when what we ship has a known vulnerability of severity high or critical, by npm's own audit of
 * package-lock.json, and of the packages that TensorFlow's addon takes. Tools for development don't count. Passes with a
 * message when the registry cannot be reached.
 *
 *   node scripts/audit.mjs
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { addonLock, writeProject } from './setup/packages.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const timeoutMilliseconds = 120_000;
const severe = ['high', 'critical'];

for (const folder of [root, addonProject()]) {
  audit(folder);
  if (folder !== root) rmSync(folder, { recursive: true });
}

function audit(cwd) {
  const input = ['audit', '--omit=dev', '--package-lock-only', '--json'];
  const { stdout, error } = spawnSync('npm', input, { cwd, encoding: 'utf8', timeout: timeoutMilliseconds });
  const report = parsed(stdout);
  if (report?.vulnerabilities === undefined) {
    const reason = report?.message ?? error?.message ?? 'npm gave no report';
    console.log(`Skipped: the registry cannot be asked about vulnerabilities (${reason})`);
    return;
  }
  const found = Object.values(report.vulnerabilities).filter(({ severity }) => severe.includes(severity));
  for (const { name, severity, via } of found) {
    const why = via.map((cause) =>
      typeof cause === 'string' ? `by ${cause}` : `${cause.title} (${cause.range}), ${cause.url}`,
    );
    console.error(`✗ ${name} (${severity}): ${why.join('; ')}`);
  }
  const asked = report.metadata?.dependencies?.prod ?? 'all';
  if (found.length === 0) console.log(`✓ No known vulnerability of severity high or critical in ${asked} packages`);
  else process.exitCode = 1;
}

function addonProject() {
  const folder = mkdtempSync(join(tmpdir(), 'dataengine-audit-'));
  writeProject(folder, readFileSync(join(root, addonLock), 'utf8'));
  return folder;
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
