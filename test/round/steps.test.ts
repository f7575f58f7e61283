import { readdir, readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { createCpuActivities } from '../../activities/cpu.ts';
import { createGpuActivities } from '../../activities/gpu.ts';
import { projectFile } from '../../src/core/files.ts';
import { loadWorkerSettings } from '../../src/core/worker-settings.ts';
import { withStepsTable } from '../../src/round/describe-steps.ts';
import { loadStep } from '../../src/round/load-step.ts';
import { ownFolders, ownWholeStep } from '../../src/round/own-folders.ts';
import { directoryOf, shardsDirectory, stepDirectory } from '../../src/round/step-directory.ts';
import { rowOf, type StepName, stepNames, steps } from '../../src/round/steps.ts';
import { storeRules } from '../../src/round/store-rules.ts';
import { extensions } from '../../workers/extensions.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';
import { tinyContext, writeTinyRun } from './tiny-run.ts';

const settings = await loadWorkerSettings();

const run = { root: 'runs/demo-1' };

describe('the table of steps', () => {
  it('gives each step of a round a folder of its own, and each step of the run one in the run', () => {
    expect(stepDirectory(run, 2, 'finetune')).toBe('runs/demo-1/round-2/finetune');
    expect(stepDirectory(run, 2, 'merge')).toBe('runs/demo-1/round-2/merged');
    expect(directoryOf(run, 2, 'embed')).toBe('runs/demo-1/embeddings');
    expect(directoryOf(run, 2, 'report')).toBeUndefined();
    expect(shardsDirectory(run, 2, 'evaluate')).toBe('runs/demo-1/round-2/evaluate-shards');
    expect(shardsDirectory(run, 2, 'embed')).toBe('runs/demo-1/embedding-shards');
    const folders = (Object.keys(steps) as StepName[]).map((name) => directoryOf(run, 1, name));
    expect(new Set(folders).size).toBe(folders.length);
  });

  it('finds the functions of each step by its name', async () => {
    for (const name of stepNames) expect(Object.keys(await loadStep(name)), name).toEqual(['run', 'activity']);
    const { run, activity } = await loadStep('evaluate');
    expect([run.name, activity.name]).toEqual(['evaluate', 'joinShards']);
  });

  it('names an activity of the workers for each step whose only input is a reference', () => {
    const made = { ...createCpuActivities({ extensions, settings }), ...createGpuActivities({ extensions, settings }) };
    expect(Object.keys(made)).toEqual(expect.arrayContaining(stepNames.flatMap((name) => rowOf(name).activity ?? [])));
    expect(Object.keys(createGpuActivities({ extensions, settings })).sort()).toEqual([
      // With those that ask the teacher, for `teacher.serve`.
      ...[
        'askServedChunks',
        'checkServing',
        'classify',
        'discover',
        'embed',
        'embedShard',
        'evaluate',
        'evaluateShard',
      ],
      ...['finetune', 'merge', 'prepareData', 'select'],
    ]);
  });

  it('is up to date in the docs: `npm run schema` writes it', async () => {
    const docs = (await readdir(projectFile('docs'))).map((name) => `docs/${name}`);
    let marked = 0;
    for (const name of ['README.md', ...docs.filter((file) => file.endsWith('.md'))]) {
      const page = await readFile(projectFile(name), 'utf8');
      if (page.includes('<!-- steps:begin -->')) marked += 1;
      expect(withStepsTable(page), name).toBe(page);
    }
    expect(marked).toBe(1);
  });

  it('summarizes the outcome of a step, as the workflow shows it', () => {
    expect(steps.generate.summary({ answers: 5, unanswered: 2 } as never)).toBe('5 answers, 2 left out');
    expect(steps.append.summary({ version: '0123456789abcdef' } as never)).toBe('version 0123456789ab');
    expect(steps.finetune.summary({ samples: 8, loss: 1.23456 } as never)).toBe('8 samples, loss 1.235');
    expect(steps.evaluate.summary({ multipleChoice: 50, testMultipleChoice: 25 } as never)).toBe(
      'MC 50.0 %, test MC 25.0 %',
    );
    expect(steps.evaluate.summary({ multipleChoice: 50 } as never)).toBe('MC 50.0 %');
    const gate = {
      accepted: false,
      by: 'person',
      reason: 'against round 1: drop of 1.3 points is significant (p 0.01, 80 questions)',
    };
    expect(steps.gate.summary(gate as never)).toBe(
      'set aside by a person against round 1: drop of 1.3 points is significant (p 0.01, 80 questions)',
    );
    expect(steps.gate.summary({ by: 'first' } as never)).toBe('accepted');
  });

  it('gives the folders that the work of a step writes', async () => {
    const context = await tinyContext(
      await writeTinyRun(await temporaryFolder(), (config) => ({
        ...config,
        evaluate: { shards: 2 },
        sampling: { ...config.sampling, embeddingShards: 2 },
      })),
    );
    const owned = (folders: ReturnType<typeof ownFolders>) =>
      folders(context).map((folder) => folder.slice(context.run.root.length + 1));
    expect(owned(ownFolders(1, 'gate'))).toEqual(['round-1/gate', 'round-1/compare']);
    expect(owned(ownFolders(1, 'evaluate'))).toEqual(['round-1/evaluate']);
    expect(owned(ownWholeStep(1, 'evaluate'))).toEqual([
      ...['validation', 'test'].flatMap((set) => [0, 1].map((shard) => `round-1/evaluate-shards/${set}-${shard}-of-2`)),
      'round-1/evaluate',
    ]);
    expect(owned(ownWholeStep(1, 'embed'))).toEqual([
      'embedding-shards/0-of-2',
      'embedding-shards/1-of-2',
      'embeddings',
    ]);
    // Each machine does these for itself.
    expect(owned(ownFolders(0, 'prepare-data'))).toEqual([]);
    expect(owned(ownFolders(0, 'report'))).toEqual([]);
  });
});

describe('the rules for the store', () => {
  const local = (path: string) => {
    const at = path.lastIndexOf(' ');
    return storeRules.stepFiles(path.slice(0, at)).isLocal(path.slice(at + 1));
  };

  it('exclude files that are of use on one machine only', () => {
    expect(
      [
        'round-1/finetune trainer.pid.json',
        'round-1/finetune mixture/samples.jsonl',
        'round-1/merged model.partial/model.safetensors',
        'round-1/evaluate-shards/test-0-of-1 questions.jsonl',
        'embedding-shards/0-of-2 images.json',
        'prepared-data manifest.json',
      ].filter((path) => !local(path)),
    ).toEqual([]);
    expect(
      ['round-1/finetune loss.jsonl', 'round-1/classify questions.jsonl', 'round-1/generate plan.json'].filter(local),
    ).toEqual([]);
  });

  it('include files that an interrupted attempt resumes from', () => {
    const resume = (folder: string, path: string) => storeRules.stepFiles(folder).isForResuming(path);
    expect(resume('round-0/finetune', 'checkpoints/step-1.safetensors')).toBe(true);
    expect(resume('round-0/evaluate-shards/validation-0-of-1', 'losses.part.jsonl')).toBe(true);
    expect(resume('round-0/finetune', 'loss.jsonl')).toBe(false);
  });

  it('distinguish the files of the run itself from those of its steps', () => {
    const ofRun = ['config.json', 'dataset-versions/', 'dataset-versions/log.jsonl', 'round-1/', 'round-1/round.json'];
    const others = ['ledger/', 'embeddings/', 'embedding-shards/', 'prepared-data/', 'benchmark-images/'];
    const ofSteps = [
      'round-1/sample/',
      'round-1/verify_calls/',
      'round-1/generate_calls/',
      'round-1/DataEngine_round1_data.json',
    ];
    expect(ofRun.filter((path) => !storeRules.isOfRun(path))).toEqual([]);
    expect([...others, ...ofSteps].filter((path) => storeRules.isOfRun(path))).toEqual([]);
  });
});
