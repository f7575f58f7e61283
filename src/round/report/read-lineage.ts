/**
 * The lineage of a run's data and models by the manifests of its steps, for the report.
 */
import type { Config } from '../../config/schema.ts';
import { hashValue } from '../../core/hash.ts';
import type { Manifest } from '../../core/manifest.ts';
import type { RunDirectory } from '../../core/run-directory.ts';
import { versionHistory } from '../../datasets/versions.ts';
import type { ReportLineage } from '../../report/report-input.ts';
import { baseModelHash } from '../base-model.ts';
import { adapterFile } from '../finetune/results.ts';
import { manifestIn } from '../finished-step.ts';
import { keptSamples } from '../select/kept-samples.ts';
import { stepDirectory } from '../step-directory.ts';
import type { RoundStep } from '../steps.ts';

type Node = ReportLineage['nodes'][number];

/** Nodes and edges from the base model and the base data to the scores of the given rounds. */
export async function readLineage(
  config: Config,
  run: RunDirectory,
  rounds: readonly number[],
): Promise<ReportLineage> {
  const nodes: Node[] = [
    { id: 'model', kind: 'base model', details: [shortHash(await baseModelHash(config))] },
    { id: 'data', kind: 'base data', details: config.data.train.map(({ dataset }) => dataset) },
  ];
  const edges: ReportLineage['edges'] = [];
  const add = (node: Node, from: (string | undefined)[]) => {
    nodes.push(node);
    edges.push(...from.filter((id) => id !== undefined).map((id) => ({ from: id, to: node.id })));
  };

  const versions = (await versionHistory(run.root)).filter(({ current }) => current).map(({ version }) => version);
  /** Hash in a later manifest → node. */
  const adapterOf = new Map<string, string>();
  const scoresOf = new Map<string, string>();

  for (const round of rounds) {
    const step = (name: RoundStep) => manifestIn(run, stepDirectory(run, round, name));
    const [sampled, generated, version] = [
      await step('sample'),
      await step('generate'),
      versions.find((one) => one.round === round),
    ];
    if (sampled && generated && version) {
      const kept = await keptSamples({ config, run, round });
      const basis = scoresOf.get(sampled.inputs.classified ?? '');
      add({ id: `requests-${round}`, kind: 'requests', details: [figure(sampled, 'requests')], round }, [basis]);
      const answers = [figure(generated, 'answers'), version.teacher, `prompt ${version.promptVersion}`];
      add({ id: `answers-${round}`, kind: 'answers', details: answers, round }, [`requests-${round}`]);
      const samples = [`${grouped(kept.accepted)} accepted`, `${grouped(kept.rejected)} rejected`];
      add({ id: `samples-${round}`, kind: 'samples', details: samples, round }, [`answers-${round}`]);
      add({ id: version.id, kind: 'dataset version', details: [shortHash(version.id)], round }, [
        `samples-${round}`,
        ...version.parents,
      ]);
    }

    const [finetuned, merged, evaluated, classified] = [
      await step('finetune'),
      await step('merge'),
      await step('evaluate'),
      await step('classify'),
    ];
    if (!finetuned || !merged || !evaluated || !classified) continue;
    const adapter = finetuned.outputs[adapterFile] ?? '';
    /** Taken as it was: nobody knows here what it was made from. */
    const isGiven = finetuned.inputs.given !== undefined;
    add(
      {
        id: `adapter-${round}`,
        kind: 'adapter',
        details: [
          isGiven ? 'trained before the run' : `loss ${finetuned.metrics.loss?.toFixed(3) ?? '–'}`,
          shortHash(adapter),
        ],
        round,
      },
      isGiven ? ['model'] : ['model', 'data', version?.id, adapterOf.get(finetuned.inputs.start ?? '')],
    );
    adapterOf.set(adapter, `adapter-${round}`);
    add({ id: `merged-${round}`, kind: 'merged model', details: [], round }, [`adapter-${round}`]);
    add({ id: `scores-${round}`, kind: 'scores', details: scoreDetails(evaluated), round }, [`merged-${round}`]);
    scoresOf.set(hashValue(classified.outputs), `scores-${round}`);
  }
  return { nodes, edges };
}

function scoreDetails({ metrics }: Manifest): string[] {
  const { validationMultipleChoice, testMultipleChoice } = metrics;
  return [
    `MC ${validationMultipleChoice?.toFixed(1) ?? '–'} %`,
    ...(testMultipleChoice === undefined ? [] : [`test MC ${testMultipleChoice.toFixed(1)} %`]),
  ];
}

function figure({ metrics }: Manifest, name: string): string {
  return grouped(metrics[name] ?? 0);
}

function grouped(value: number): string {
  return value.toLocaleString('en-US');
}

function shortHash(hash: string): string {
  return hash.slice(0, 12);
}
