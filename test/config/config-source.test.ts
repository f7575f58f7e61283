import { writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { loadConfig } from '../../src/config/load-config.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';

async function write(files: Record<string, string>): Promise<(name: string) => string> {
  const folder = await temporaryFolder();
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
  return (name) => join(folder, name);
}

async function messageOf(files: Record<string, string>, name: string) {
  const file = await write(files);
  const error = await loadConfig(file(name)).catch((failure: unknown) => failure);
  expect(error).toMatchObject({ name: 'InputError' });
  return (error as Error).message.replaceAll(file('').replace(/\/?$/, '/'), '');
}

const base = `model: { path: data/stage1 }
data: { root: data, train: [{ dataset: cc_sbu_align }, { dataset: aokvqa }] }
finetune: { epochs: 2, lora: { rank: 4, alpha: 8 } }
`;

describe('extends', () => {
  it('joins maps, replaces lists and plain values, over any number of files', async () => {
    const file = await write({
      'base.yaml': base,
      'middle.yaml': 'extends: base.yaml\nfinetune: { lora: { rank: 16 } }\n',
      'run.yaml': 'extends: ./middle.yaml\ndata: { train: [{ dataset: aokvqa }] }\nfinetune: { epochs: 3 }\n',
    });
    const { data, finetune, ...config } = await loadConfig(file('run.yaml'));
    expect(data).toMatchObject({ root: file('data'), train: [{ dataset: 'aokvqa' }] });
    expect(finetune).toMatchObject({ epochs: 3, lora: { rank: 16, alpha: 8, dropout: 0.05 } });
    expect(config).not.toHaveProperty('extends');
  });

  it('lets overrides have the last word', async () => {
    const file = await write({ 'base.yaml': `${base}seed: 1\n`, 'run.yaml': 'extends: base.yaml\nseed: 2\n' });
    expect(await loadConfig(file('run.yaml'), { seed: 3 })).toMatchObject({ seed: 3, data: { root: file('data') } });
  });

  it('names the file and line that a wrong value comes from', async () => {
    const wrong = { 'base.yaml': `${base}seed: one\n`, 'run.yaml': 'extends: base.yaml\nrun: mine\n' };
    expect(await messageOf(wrong, 'run.yaml')).toContain('base.yaml:4: seed: must be a number, not a text');
    const unknown = { 'base.yaml': base, 'run.yaml': 'extends: base.yaml\nfinetune:\n  epoch: 2\n' };
    expect(await messageOf(unknown, 'run.yaml')).toContain(
      'run.yaml:3: finetune.epoch: no such key. Did you mean finetune.epochs?',
    );
  });

  it('refuses a circle, a missing file, and more than one', async () => {
    const circle = { 'a.yaml': 'run: a\nextends: b.yaml\n', 'b.yaml': 'extends: a.yaml\n' };
    expect(await messageOf(circle, 'a.yaml')).toContain('b.yaml:1: extends: is circular: a.yaml → b.yaml → a.yaml');
    expect(await messageOf({ 'a.yaml': 'extends: a.yaml\n' }, 'a.yaml')).toContain('is circular');
    expect(await messageOf({ 'a.yaml': 'run: a\nextends: none.yaml\n' }, 'a.yaml')).toBe(
      'a.yaml:2: extends: none.yaml: no such file. Give a path relative to this file',
    );
    expect(await messageOf({ 'a.yaml': 'extends: [b.yaml]\n' }, 'a.yaml')).toContain('must be the path of one config');
    expect(await messageOf({ 'a.yaml': 'extends: b.yaml\n', 'b.yaml': 'seed: [\n' }, 'a.yaml')).toMatch(
      /^b\.yaml:2:\d+: is not valid YAML/,
    );
  });
});

describe("the reference system's 12 training rows", () => {
  const rows = ['7b', '13b'].flatMap((size) =>
    ['qma', 'qmae'].flatMap((format) =>
      ['base', 'round1', 'rounds1-2'].map((data) => ({ name: `${size}-${format}-${data}`, size, format, data })),
    ),
  );

  it.each(rows)('$name', async ({ name, size, format, data: rounds }) => {
    const config = await loadConfig(`configs/reference/${name}.yaml`);
    const { run, rounds: engineRounds, model, data, finetune, evaluate } = config;
    // A run is called as its file is, or its workflow.
    expect({ run, engineRounds }).toEqual({ run: undefined, engineRounds: 0 });
    expect(model.path).toBe(resolve(`data/minigpt4-${size}`));
    expect(data.format).toBe(format.toUpperCase());
    expect(data.train.map(({ dataset, sampleRatio }) => [dataset, sampleRatio])).toEqual(
      [
        ['cc_sbu_align', 60],
        ['aokvqa', 130],
        ['gptvqa', 70],
        ['gptvqa', 135],
      ].slice(0, { base: 2, round1: 3, 'rounds1-2': 4 }[rounds]),
    );
    // Samples seen in all: the same in every row but one.
    const { epochs, batchSize, lora, learningRate } = finetune;
    const isShort = size === '7b' || name === '13b-qmae-rounds1-2';
    expect({ epochs, batchSize }).toEqual(isShort ? { epochs: 10, batchSize: 64 } : { epochs: 20, batchSize: 32 });
    expect(lora).toEqual({ rank: 8, alpha: 16, dropout: 0.05, targetModules: ['q_proj', 'k_proj'] });
    expect(evaluate.benchmarks).toMatchObject([{ benchmark: 'mmbench', prompt: 'opencompass' }]);
    expect(learningRate).toEqual({ initial: 1e-6, peak: 3e-4, final: 1e-5, warmupSteps: 200 });
  });
});

describe('a config that may come from anyone', () => {
  it('has no value of a secret in it: the name of the variable is what it may give', async () => {
    vi.stubEnv('MY_API_KEY', 'sk-1234567890');
    vi.stubEnv('TEACHER_AUTH', 'Bearer 1234567890');
    onTestFinished(() => void vi.unstubAllEnvs());
    for (const name of ['MY_API_KEY', 'TEACHER_AUTH']) {
      const message = await messageOf({ 'run.yaml': `${base}run: r-\${${name}}\n` }, 'run.yaml');
      expect(message).toMatch(new RegExp(`run: the environment variable ${name} looks like a secret`));
      expect(message).not.toContain('1234567890');
    }
  });

  it('has no address with a password in it', async () => {
    vi.stubEnv('HTTPS_PROXY', 'http://me:1234567890@proxy.example:3128');
    onTestFinished(() => void vi.unstubAllEnvs());
    const message = await messageOf({ 'run.yaml': `${base}run: r-\${HTTPS_PROXY}\n` }, 'run.yaml');
    expect(message).toMatch(/run: the environment variable HTTPS_PROXY is an address with a password/);
    expect(message).not.toContain('1234567890');
  });

  it('waits for nothing longer than a timer can', async () => {
    const message = await messageOf({ 'run.yaml': `${base}temporal: { stallTimeoutSeconds: 1e300 }\n` }, 'run.yaml');
    expect(message).toMatch(/temporal.stallTimeoutSeconds: must be at most/);
  });

  it('gives the teacher an address without a password', async () => {
    const teacher = (address: string) => ({ 'run.yaml': `${base}teacher: { baseUrl: "${address}" }\n` });
    expect(await messageOf(teacher('https://user:pass@api.example/v1'), 'run.yaml')).toMatch(
      /teacher.baseUrl: has a user name or a password/,
    );
    expect(await messageOf(teacher('file:///etc/passwd'), 'run.yaml')).toMatch(/teacher.baseUrl: is not a URL/);
  });

  it('extends a config only, and quotes nothing of another file', async () => {
    const message = await messageOf(
      { passwd: 'root:x:0:0:root:/root:/bin/bash', 'run.yaml': `${base}extends: passwd\n` },
      'run.yaml',
    );
    expect(message).toMatch(/is not a config: it has no keys/);
    expect(message).not.toContain('root:x');
  });

  it('has keys with the names of what every object has', async () => {
    const file = await write({
      'base.yaml': `${base}gate: { typeTolerances: { constructor: 0.1 } }\n`,
      'run.yaml': 'extends: base.yaml\ngate: { typeTolerances: { knowledge: 0.2 } }\n',
    });
    const { gate } = await loadConfig(file('run.yaml'));
    expect({ ...gate.typeTolerances }).toEqual({ constructor: 0.1, knowledge: 0.2 });
    expect(await messageOf({ 'run.yaml': `${base}run: "\${toString}"\n` }, 'run.yaml')).toMatch(/toString is not set/);
  });

  it('is refused when it is nested deeply', async () => {
    for (const text of ['['.repeat(20_000), `${'{a: '.repeat(5000)}`]) {
      expect(await messageOf({ 'run.yaml': text }, 'run.yaml')).toMatch(/is nested deeper than 100 levels/);
    }
  });
});
