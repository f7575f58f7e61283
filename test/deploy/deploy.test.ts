/**
 * The files under `deploy/` fit one another and this program. Schemas are checked by their own tools; see
 * docs/deployment.md.
 */
import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { z } from 'zod';
import { createProgram } from '../../cli/program.ts';
import { isBelow } from '../../src/core/inside.ts';
import { shutdownForceSeconds } from '../../workers/worker-flags.ts';
import { defaultWorkflowBundle } from '../../workers/workflow-bundle.ts';

const container = z.looseObject({
  name: z.string(),
  image: z.string(),
  args: z.array(z.string()),
  ports: z.array(z.object({ name: z.string(), containerPort: z.number() })),
  startupProbe: z.looseObject({ httpGet: z.object({ path: z.string(), port: z.string() }) }),
  livenessProbe: z.looseObject({ httpGet: z.object({ path: z.string(), port: z.string() }) }),
  envFrom: z.array(
    z.object({
      configMapRef: z.object({ name: z.string() }).optional(),
      secretRef: z.object({ name: z.string(), optional: z.boolean() }).optional(),
    }),
  ),
  volumeMounts: z.array(z.object({ name: z.string(), mountPath: z.string(), readOnly: z.boolean().default(false) })),
  resources: z.looseObject({ limits: z.looseObject({ memory: z.string() }) }),
  securityContext: z.looseObject({}),
});
const deploymentSchema = z.looseObject({
  metadata: z.looseObject({ name: z.string() }),
  spec: z.looseObject({
    selector: z.object({ matchLabels: z.record(z.string(), z.string()) }),
    template: z.object({
      metadata: z.looseObject({ labels: z.record(z.string(), z.string()) }),
      spec: z.looseObject({
        automountServiceAccountToken: z.boolean(),
        securityContext: z.looseObject({}),
        terminationGracePeriodSeconds: z.number(),
        containers: z.array(container).length(1),
        volumes: z.array(
          z.looseObject({
            name: z.string(),
            persistentVolumeClaim: z.looseObject({ claimName: z.string() }).optional(),
            configMap: z
              .object({
                name: z.string(),
                items: z.array(z.object({ key: z.string(), path: z.literal('worker.yaml') })).length(1),
              })
              .optional(),
          }),
        ),
      }),
    }),
  }),
});

const folder = 'deploy/kubernetes';
const files = (await readdir(folder)).filter((name) => name !== 'kustomization.yaml');
const objects = (
  await Promise.all(
    files.map(async (name) =>
      parseAllDocuments(await readFile(`${folder}/${name}`, 'utf8')).map((document) => document.toJS()),
    ),
  )
).flat() as { kind: string; metadata: { name: string } }[];
const named = (kind: string) => objects.filter((one) => one.kind === kind).map(({ metadata }) => metadata.name);
const deployments = objects.filter(({ kind }) => kind === 'Deployment').map((one) => deploymentSchema.parse(one));

/** The words of a container's command, as its file has them. */
async function commandOf(kind: 'cpu' | 'gpu'): Promise<string[]> {
  const file = await readFile(`deploy/${kind}-worker.Dockerfile`, 'utf8');
  return z.array(z.string()).parse(JSON.parse(/^CMD (.*)$/m.exec(file)?.[1] ?? ''));
}

/** What `dataengine worker` does not know of these words. */
function unknownWords(words: readonly string[]): string[] {
  const worker = createProgram(new AbortController().signal).commands.find((one) => one.name() === 'worker');
  const { unknown } = worker?.parseOptions([...words]) ?? { unknown: ['worker'] };
  return unknown;
}

test.each(['cpu', 'gpu'] as const)('the %s worker’s image starts it with options that exist', async (kind) => {
  const words = await commandOf(kind);
  expect(words[0]).toBe(kind);
  expect(unknownWords(words)).toEqual([]);
});

test('Kubernetes starts each worker’s image with options that exist, and probes its ports', () => {
  expect(deployments.map(({ metadata }) => metadata.name)).toEqual(['cpu-worker', 'gpu-worker']);
  for (const { spec, metadata } of deployments) {
    const [worker] = spec.template.spec.containers as [z.output<typeof container>];
    expect(worker.image).toBe(`dataengine-${metadata.name}`);
    expect(unknownWords(worker.args)).toEqual([]);
    const port = (name: string) => worker.ports.find((one) => one.name === name)?.containerPort;
    expect(worker.args).toContain(`--health-port=${port('health')}`);
    expect(worker.args).toContain(`--metrics-address=0.0.0.0:${port('metrics')}`);
    for (const probe of [worker.startupProbe, worker.livenessProbe]) {
      expect(probe.httpGet).toEqual({ path: '/healthz', port: 'health' });
    }
  }
});

test('the CPU worker’s workflows are the bundle of the image, which lies in no folder that is written to', async () => {
  const image = await commandOf('cpu');
  expect(image[image.indexOf('--workflow-bundle') + 1]).toBe(defaultWorkflowBundle);
  const worker = deployments[0]?.spec.template.spec.containers[0];
  expect(worker?.args).toContain(`--workflow-bundle=${defaultWorkflowBundle}`);
  const places = worker?.volumeMounts.map(({ mountPath }) => mountPath) ?? [];
  expect(places).toContain('/app/runs');
  expect(isBelow(`/app/${defaultWorkflowBundle}`, places)).toBe(false);
});

test('a worker has more time to stop than it waits for its activities', async () => {
  for (const { spec } of deployments) {
    expect(spec.template.spec.terminationGracePeriodSeconds).toBeGreaterThan(shutdownForceSeconds);
  }
  const compose = parse(await readFile('deploy/compose.yaml', 'utf8'), { merge: true });
  for (const name of ['cpu-worker', 'gpu-worker']) {
    expect(Number.parseInt(compose.services[name].stop_grace_period, 10)).toBeGreaterThan(shutdownForceSeconds);
    expect(existsSync(compose.services[name].build.dockerfile)).toBe(true);
  }
});

test('the memory of a CPU worker is enough for a process in each slot', async () => {
  const [cpuWorker] = deployments as [z.output<typeof deploymentSchema>];
  const [{ args, resources }] = cpuWorker.spec.template.spec.containers as [z.output<typeof container>];
  const slots = Number(args.find((one) => one.startsWith('--slots='))?.replace('--slots=', ''));
  const { limits } = parse(await readFile('deploy/worker-settings/cpu-worker.yaml', 'utf8'));
  // The worker itself; a process's code and 118,287 embeddings of 1408 numbers.
  const [worker, besideHeap] = [1024, 700];
  const gibibytes = Number(/^(\d+)Gi$/.exec(resources.limits.memory)?.[1]);
  expect(1024 * gibibytes).toBeGreaterThanOrEqual(worker + slots * (limits.stepMegabytes + besideHeap));
});

test('every name in the manifests exists', async () => {
  const { resources, images } = parse(await readFile(`${folder}/kustomization.yaml`, 'utf8'));
  expect([...resources].sort()).toEqual(['../worker-settings', ...files].sort());
  expect(images.map(({ name }: { name: string }) => name)).toEqual(
    named('Deployment').map((name) => `dataengine-${name}`),
  );
  for (const { spec } of deployments) {
    const { containers, volumes } = spec.template.spec;
    expect(spec.template.metadata.labels).toEqual(spec.selector.matchLabels);
    for (const { envFrom, volumeMounts } of containers) {
      expect(named('ConfigMap')).toEqual(envFrom.flatMap(({ configMapRef }) => configMapRef?.name ?? []));
      expect(volumes.map(({ name }) => name)).toEqual(volumeMounts.map(({ name }) => name));
    }
    for (const { persistentVolumeClaim } of volumes) {
      if (persistentVolumeClaim) expect(named('PersistentVolumeClaim')).toContain(persistentVolumeClaim.claimName);
    }
    const { configMapGenerator } = parse(await readFile('deploy/worker-settings/kustomization.yaml', 'utf8'));
    const [{ name, files: keys }] = configMapGenerator;
    const configMaps = volumes.flatMap(({ configMap }) => configMap ?? []);
    expect(configMaps.map((one) => one.name)).toEqual([name]);
    for (const { items } of configMaps) for (const { key } of items) expect(keys).toContain(key);
  }
  const scaling = z
    .looseObject({ spec: z.looseObject({ scaleTargetRef: z.object({ name: z.string() }) }) })
    .parse(objects.find(({ kind }) => kind === 'ScaledObject'));
  expect(named('Deployment')).toContain(scaling.spec.scaleTargetRef.name);
});

test('no service of the compose file is published beyond the host', async () => {
  const { services } = parse(await readFile('deploy/compose.yaml', 'utf8'), { merge: true });
  const ports = Object.values<{ ports?: string[] }>(services).flatMap((service) => service.ports ?? []);
  expect(ports).not.toEqual([]);
  expect(ports.filter((port) => !port.startsWith('127.0.0.1:'))).toEqual([]);
});
