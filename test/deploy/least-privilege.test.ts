/**
 * What the containers of `deploy/` may do, have and reach. Read from the files; none was started on a cluster.
 */
import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { posix } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { z } from 'zod';
import { loadWorkerSettings, workerSettingsVariable } from '../../src/core/worker-settings.ts';

const read = (name: string) => readFile(`deploy/${name}`, 'utf8');
const kinds = ['cpu-worker', 'gpu-worker'] as const;

const mount = z.object({ name: z.string(), mountPath: z.string(), readOnly: z.boolean().default(false) });
const deployment = z.looseObject({
  spec: z.looseObject({
    template: z.looseObject({
      spec: z.looseObject({
        automountServiceAccountToken: z.boolean(),
        securityContext: z.looseObject({}),
        containers: z
          .array(
            z.looseObject({
              envFrom: z.array(z.unknown()),
              securityContext: z.unknown(),
              volumeMounts: z.array(mount),
            }),
          )
          .length(1),
      }),
    }),
  }),
});
const service = z.looseObject({
  image: z.string().optional(),
  build: z.looseObject({ args: z.record(z.string(), z.string()) }).optional(),
  cap_drop: z.array(z.string()),
  security_opt: z.array(z.string()),
  read_only: z.boolean(),
  networks: z.array(z.string()),
  environment: z.record(z.string(), z.string().nullable()).default({}),
  volumes: z.array(z.string()).default([]),
  tmpfs: z.array(z.string()).default([]),
});

const composeSchema = z.looseObject({
  services: z.record(z.string(), service),
  networks: z.record(z.string(), z.looseObject({ internal: z.boolean().default(false) })),
});
const { services, networks } = composeSchema.parse(parse(await read('compose.yaml'), { merge: true }));
const serviceNamed = (name: string) => services[name] as z.output<typeof service>;

async function podOf(kind: string) {
  const { spec } = deployment.parse(parse(await read(`kubernetes/${kind}.yaml`)));
  const { containers, ...pod } = spec.template.spec;
  return { pod, container: containers[0] as (typeof containers)[0] };
}

/** `REQUIRED` or a digest, after the variable that gives it. */
const digestVariable = /^[^\s@]+:[^\s@]+@\$\{[A-Z_]+_DIGEST:\?[^}]+\}$/;

describe('Kubernetes', () => {
  test.each(kinds)(
    'a pod of %s is not root, has no capability, no token and a root file system that it cannot write',
    async (kind) => {
      const { pod, container } = await podOf(kind);
      expect(pod.automountServiceAccountToken).toBe(false);
      expect(pod.securityContext).toMatchObject({ runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } });
      expect(container.securityContext).toEqual({
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ['ALL'] },
      });
    },
  );

  test.each(kinds)('a pod of %s writes to its runs, its cache and /tmp, not to its data and settings', async (kind) => {
    const { volumeMounts } = (await podOf(kind)).container;
    const paths = (readOnly: boolean) =>
      volumeMounts.filter((one) => one.readOnly === readOnly).map(({ mountPath }) => mountPath);
    expect(paths(false).filter((path) => path !== '/dev/shm')).toEqual(['/app/runs', '/cache', '/tmp']);
    expect(paths(true)).toEqual(['/data', '/etc/data-engine']);
  });

  test('only CPU workers have the secret with the teacher’s key', async () => {
    const secrets = async (kind: string) =>
      (await podOf(kind)).container.envFrom.flatMap(
        (one) => (one as { secretRef?: { name: string } }).secretRef?.name ?? [],
      );
    expect(await secrets('cpu-worker')).toEqual(['data-engine', 'data-engine-payload', 'data-engine-teacher']);
    expect(await secrets('gpu-worker')).toEqual(['data-engine', 'data-engine-payload']);
    const other = (await readdir('deploy/kubernetes')).filter((name) => name !== 'cpu-worker.yaml');
    for (const name of other.filter((one) => one !== 'configuration.yaml')) {
      expect(await read(`kubernetes/${name}`)).not.toMatch(/data-engine-teacher|OPENAI_API_KEY/);
    }
  });

  test('images are given by digest, and none is preset', async () => {
    const { images } = parse(await read('kubernetes/kustomization.yaml'));
    expect(images).toHaveLength(2);
    for (const image of images) {
      expect(Object.keys(image)).toEqual(['name', 'newName', 'digest']);
      expect(image.digest).toBe('sha256:REQUIRED');
    }
  });

  test('nothing is reached but what a policy lists, and the internet by CPU workers alone', async () => {
    const policies = parseAllDocuments(await read('kubernetes/network-policies.yaml')).map((one) => one.toJS());
    const named = (name: string) => policies.find(({ metadata }) => metadata.name === name).spec;
    expect(policies.map(({ kind }) => kind)).toEqual(['NetworkPolicy', 'NetworkPolicy', 'NetworkPolicy']);
    expect(named('default-deny')).toEqual({ podSelector: {}, policyTypes: ['Ingress', 'Egress'] });
    for (const { spec } of policies) {
      // An empty peer, or a rule without peers or ports, would be all of them.
      for (const { to, from = to, ports } of [...(spec.ingress ?? []), ...(spec.egress ?? [])]) {
        expect(from.length * ports.length).toBeGreaterThan(0);
        for (const peer of from) expect(Object.keys(peer)).not.toEqual([]);
      }
    }
    const ports = (name: string) =>
      named(name).egress.flatMap((one: { ports: { port: number }[] }) => one.ports.map(({ port }) => port));
    expect(ports('workers')).toEqual([53, 53, 7233]);
    expect(ports('cpu-worker-internet')).toEqual([443]);
    const internet = policies.filter(({ spec }) => JSON.stringify(spec).includes('0.0.0.0/0'));
    expect(internet.map(({ spec }) => spec.podSelector.matchLabels)).toEqual([
      { 'app.kubernetes.io/name': 'cpu-worker' },
    ]);
    const [{ ipBlock }] = named('cpu-worker-internet').egress[0].to;
    // Addresses of the cluster, and of a cloud's metadata service.
    expect(ipBlock.except).toEqual(
      expect.arrayContaining(['10.0.0.0/8', '169.254.0.0/16', '172.16.0.0/12', '192.168.0.0/16']),
    );
  });
});

describe('Compose', () => {
  test.each(Object.keys(services))('%s has no capability, gains no privilege and names its image by digest', (name) => {
    const { cap_drop, security_opt, image, build, ...one } = serviceNamed(name);
    expect([cap_drop, security_opt]).toEqual([['ALL'], ['no-new-privileges:true']]);
    expect(one).not.toHaveProperty('cap_add');
    expect(one).not.toHaveProperty('privileged');
    if (build === undefined) expect(image).toMatch(digestVariable);
    else expect(`node:20@${build.args.NODE_DIGEST}`).toMatch(digestVariable);
  });

  test('root file systems are read-only, but for the UI of Temporal', () => {
    const writable = Object.entries(services).flatMap(([name, { read_only }]) => (read_only ? [] : [name]));
    expect(writable).toEqual(['temporal-ui']);
    for (const kind of kinds) {
      const { volumes, tmpfs } = serviceNamed(kind);
      const places = (mode: boolean) =>
        volumes.filter((one) => one.endsWith(':ro') === mode).map((one) => one.replace(/:ro$/, '').split(':').at(-1));
      expect(places(false)).toEqual(['/app/runs', '/cache']);
      expect(places(true)).toEqual(['/data', '/etc/data-engine/worker.yaml']);
      expect(tmpfs).toEqual([expect.stringMatching(/^\/tmp:/)]);
    }
  });

  test('the CPU worker alone has the teacher’s key and a way to the internet; the workers alone the payload key', () => {
    const having = (isSo: (one: z.output<typeof service>) => boolean) =>
      Object.entries(services).flatMap(([name, one]) => (isSo(one) ? [name] : []));
    expect(having(({ environment }) => 'OPENAI_API_KEY' in environment)).toEqual(['cpu-worker']);
    expect(having((one) => one.networks.includes('internet'))).toEqual(['cpu-worker']);
    // Both write payloads. Its value is the host's.
    const withKey = having(({ environment }) => environment.DATAENGINE_PAYLOAD_KEY === null);
    expect(withKey).toEqual(['cpu-worker', 'gpu-worker']);
    // A published port takes a network that is not internal.
    expect(having((one) => one.networks.includes('host'))).toEqual(['temporal', 'temporal-ui']);
    expect([networks.database?.internal, networks.workers?.internal]).toEqual([true, true]);
    expect(having((one) => one.networks.includes('database'))).toEqual(['postgresql', 'temporal-schema', 'temporal']);
  });
});

describe('the settings of the workers', () => {
  const settingsOf = (kind: string) =>
    loadWorkerSettings({ [workerSettingsVariable]: `deploy/worker-settings/${kind}.yaml` });

  test.each(kinds)(
    'of %s are valid, those of the examples in their comments too, and write run files as 0640',
    async (kind) => {
      const settings = await settingsOf(kind);
      expect(settings).toMatchObject({ data: ['/data'], cache: '/cache', stores: [], webhooks: [], umask: '027' });
      const text = await read(`worker-settings/${kind}.yaml`);
      const { stores } = parse(text.replace(/^stores: \[\]\n/m, '').replace(/^# (stores: )/m, '$1'));
      expect(stores).toEqual(['s3://my-bucket/dataengine']);
    },
  );

  test('bind the teacher’s key to its host for CPU workers, and give GPU workers no secret', async () => {
    expect((await settingsOf('cpu-worker')).secrets).toEqual([
      { variable: 'OPENAI_API_KEY', hosts: ['api.openai.com'] },
    ]);
    expect((await settingsOf('gpu-worker')).secrets).toEqual([]);
  });

  test('are the file that the containers’ environment names', async () => {
    const { data } = parse(await read('kubernetes/configuration.yaml'));
    expect(data[workerSettingsVariable]).toBe('/etc/data-engine/worker.yaml');
    for (const kind of kinds) {
      const { environment, volumes } = serviceNamed(kind);
      expect(environment[workerSettingsVariable]).toBe('/etc/data-engine/worker.yaml');
      expect(volumes).toContain(`./worker-settings/${kind}.yaml:/etc/data-engine/worker.yaml:ro`);
    }
  });
});

describe('the images', () => {
  test.each(kinds)('of %s take their basis by digest, and what they write lies in volumes', async (kind) => {
    const file = await read(`${kind}.Dockerfile`);
    const bases = [...file.matchAll(/^FROM (\S+)/gm)].map(([, base]) => base);
    expect(bases).toHaveLength(2);
    for (const base of bases) expect(base).toMatch(/^node:[\w.-]+@\$\{NODE_DIGEST\}$/);
    expect(/^ARG NODE_DIGEST(.*)$/m.exec(file)?.[1]).toBe('');
    expect(JSON.parse(/^VOLUME (.*)$/m.exec(file)?.[1] ?? '')).toEqual(['/app/runs', '/cache']);
    expect(/^ENV (.*)$/m.exec(file)?.[1]?.split(' ')).toEqual(
      expect.arrayContaining(['HOME=/cache', 'DATAENGINE_IMAGE_CACHE=/cache/image-features']),
    );
    // Else it would be written when a trainer starts, into a file system that is read-only.
    expect(file).toContain('node src/trainer/supervisor/bundle.mjs src/trainer/main.ts');
    expect(file).toMatch(/^USER 1000:1000$/m);
  });

  test('are looked up for every digest that is asked for', async () => {
    const page = await readFile('docs/deployment.md', 'utf8');
    const asked = [...(await read('compose.yaml')).matchAll(/\$\{([A-Z_]+_DIGEST):\?digest of ([^,]+),/g)];
    expect(new Set(asked.map(([, name]) => name)).size).toBe(5);
    for (const [, name, image] of asked) expect(page).toContain(`| \`${name}\` | \`${image}\` |`);
    expect(page).toContain('None of these files was run on a cluster');
  });

  const ignored = [
    '.env',
    'deploy/.env',
    '.env.local',
    'keys/server.pem',
    'tls.key',
    'home/.aws',
    'home/.ssh',
    '.netrc',
  ];
  test.each([...ignored, 'worker.yaml', 'runs', 'data/coco', '.cache', '.git', 'run.log'])(
    'leave out %s',
    async (path) => {
      expect(await isLeftOut(path)).toBe(true);
    },
  );

  const started = ['workers/step-process.ts', 'workers/health-thread.mjs'];
  test.each([
    ...started,
    'data/stage1',
    'src/core/hash.ts',
    'configs/demo.yaml',
    'deploy/worker-settings/cpu-worker.yaml',
  ])('contain %s', async (path) => {
    expect(existsSync(path)).toBe(true);
    expect(await isLeftOut(path)).toBe(false);
  });
});

/** By the last pattern that fits (https://docs.docker.com/build/concepts/context/#dockerignore-files). */
async function isLeftOut(path: string): Promise<boolean> {
  const lines = (await readFile('.dockerignore', 'utf8')).split('\n').filter((line) => line && !line.startsWith('#'));
  let isOut = false;
  for (const line of lines) {
    const pattern = line.replace(/^!/, '');
    const source = posix
      .normalize(pattern)
      .replace(/[.+^${}()|[\]\\]/g, '\\$&')
      .replace(/\*\*\/|\*/g, (stars) => (stars === '*' ? '[^/]*' : '(.*/)?'));
    if (new RegExp(`^${source}$`).test(path)) isOut = !line.startsWith('!');
  }
  return isOut;
}
