/** Options that npm keeps, since they stand before `--`: typed as a newcomer would, in this checkout. */
import { spawnSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { describeKeptByNpm } from '../../../scripts/setup/npm-options.mjs';
import { projectFile } from '../../../src/core/files.ts';

test.each([
  [['demo', '--quick'], 'npm run demo -- --quick'],
  [['setup', '--gpu'], 'npm run setup -- --gpu'],
  [['dataengine', 'run', '--detach'], 'npm run dataengine -- … --detach'],
  [['dataengine', 'data', 'check', 'x.yaml', '--data-root', 'y'], 'npm run dataengine -- … --data-root'],
])(
  'npm run %j ends with what to type, before anything is done',
  (words, typed) => {
    const { status, stderr } = spawnSync('npm', ['run', ...words], { cwd: projectFile(''), encoding: 'utf8' });
    expect(status).toBe(2);
    expect(stderr).toContain(`for itself. Put \`--\` before options:\n  ${typed}\n`);
  },
  60_000,
);

test('behind `--` an option gets to the program', () => {
  const { status, stderr } = spawnSync('npm', ['run', 'dataengine', '--', 'power', '--difference', '0'], {
    cwd: projectFile(''),
    encoding: 'utf8',
  });
  expect(status).toBe(2);
  expect(stderr).not.toContain('for itself');
}, 60_000);

test('what a person has set for npm, and scripts of another project, change nothing', () => {
  const set = { npm_config_yes: 'true', npm_config_cache: '/c', npm_config_registry: 'r', npm_config_json: 'true' };
  const names = ['yes', 'cache', 'json', 'quick'];
  expect(describeKeptByNpm(names, { ...set, npm_lifecycle_event: 'dataengine' })).toBeUndefined();
  expect(describeKeptByNpm(names, { npm_config_quick: 'true', npm_lifecycle_event: 'start' })).toBeUndefined();
  expect(describeKeptByNpm(names, { npm_config_quick: 'true' })).toBeUndefined();
});
