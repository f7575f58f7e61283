/** Who may import whom: docs/architecture.md. */
const src = (...names) => `^src/(${names.join('|')})/`;
const programs = '^(workflows|activities|workers|cli|bench|scripts|examples|test)/';
const oursExcept = (...below) => ({ path: '^(src|demo)/', pathNot: below });

/** Files that list what there is, by the names that configs use. */
const registries = [
  '^src/evaluation/benchmarks/index\\.ts$',
  '^src/datasets/train-datasets\\.ts$',
  '^src/datasets/descriptions/index\\.ts$',
  '^src/tracking/trackers\\.ts$',
];

module.exports = {
  forbidden: [
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    { name: 'unresolvable', severity: 'error', from: {}, to: { couldNotResolve: true } },
    {
      name: 'core-stands-alone',
      severity: 'error',
      from: { path: src('core') },
      to: oursExcept(src('core')),
    },
    {
      name: 'config-knows-names-only',
      comment: 'A schema takes the names that a registry lists, and calls nothing.',
      severity: 'error',
      from: { path: src('config') },
      to: oursExcept(src('core', 'config'), ...registries),
    },
    {
      name: 'model-knows-no-data',
      severity: 'error',
      from: { path: src('model') },
      to: oursExcept(src('core', 'model')),
    },
    {
      name: 'datasets-stand-alone',
      severity: 'error',
      from: { path: src('datasets') },
      to: oursExcept(src('core', 'datasets')),
    },
    {
      name: 'teacher-stands-alone',
      severity: 'error',
      from: { path: src('teacher') },
      to: oursExcept(src('core', 'teacher')),
    },
    {
      name: 'generation-knows-no-model',
      severity: 'error',
      from: { path: src('generation') },
      to: oursExcept(src('core', 'datasets', 'teacher', 'generation')),
    },
    {
      name: 'evaluation-knows-no-model',
      severity: 'error',
      from: { path: src('evaluation') },
      to: oursExcept(src('core', 'datasets', 'teacher', 'evaluation'), '^src/trainer/(protocol|job-files)\\.ts$'),
    },
    {
      name: 'trainer-knows-no-round',
      severity: 'error',
      from: { path: src('trainer') },
      to: oursExcept(src('core', 'config', 'model', 'datasets', 'trainer')),
    },
    {
      name: 'report-reads-results-only',
      severity: 'error',
      from: { path: src('report') },
      to: oursExcept(src('core', 'evaluation', 'report')),
    },
    {
      name: 'serving-knows-no-round',
      severity: 'error',
      from: { path: src('serving') },
      to: oursExcept(src('core', 'config', 'model', 'datasets', 'trainer', 'report', 'serving')),
    },
    {
      name: 'tracking-stands-alone',
      severity: 'error',
      from: { path: src('tracking') },
      to: oursExcept(src('core', 'tracking')),
    },
    {
      name: 'libraries-know-no-temporal',
      severity: 'error',
      from: { path: '^src/' },
      to: { path: 'node_modules/@temporalio/' },
    },
    {
      name: 'images-are-opened-in-one-place',
      comment: 'src/core/images/ opens image files, alike for all. The others draw images, or pack screenshots.',
      severity: 'error',
      from: {
        pathNot:
          '^src/core/images/|^demo/scenes/render\\.ts$|^examples/charts/chart\\.ts$|^scripts/screenshots\\.ts$|^bench/fuzz/|^test/',
      },
      to: { path: 'node_modules/sharp/' },
    },
    { name: 'libraries-know-no-programs', severity: 'error', from: { path: '^src/' }, to: { path: programs } },
    { name: 'libraries-know-no-demo', severity: 'error', from: { path: '^src/' }, to: { path: '^demo/' } },
    {
      name: 'wording-knows-no-domain',
      comment:
        'The local teacher finds question types by the text of a request alone: no scenes, templates or names of types.',
      severity: 'error',
      from: { path: '^demo/local-teacher/wording/' },
      to: { pathNot: '^demo/local-teacher/wording/' },
    },
    {
      name: 'discovery-knows-no-domain',
      comment: 'Nor may what asks it for types reach any of these, through other files either.',
      severity: 'error',
      from: { path: '^src/generation/discover-types\\.ts$' },
      to: { path: '^(demo|configs)/', reachable: true },
    },
    {
      name: 'demo-imports-libraries',
      comment: "The demo's commands are the one part of it that starts programs.",
      severity: 'error',
      from: { path: '^demo/', pathNot: '^demo/command/' },
      to: { path: [programs, '^demo/command/'] },
    },
    {
      name: 'workers-know-no-commands',
      severity: 'error',
      from: { path: '^(workflows|activities|workers)/' },
      to: { path: '^(cli|bench|scripts|examples)/|^demo/command/' },
    },
    {
      name: 'activities-know-no-workers',
      severity: 'error',
      from: { path: '^(workflows|activities)/' },
      to: { path: '^(workers|demo)/' },
    },
    {
      name: 'examples-import-libraries',
      severity: 'error',
      comment: 'Of the demo only the pretraining of a small base model, which an example domain may need too.',
      from: { path: '^examples/' },
      to: { path: '^(workflows|activities|workers|cli|bench|scripts|test|demo)/', pathNot: '^demo/pretrain/' },
    },
    {
      name: 'programs-stand-without-examples',
      severity: 'error',
      from: { pathNot: '^(test|examples)/' },
      to: { path: '^examples/' },
    },
    {
      name: 'workflows-take-types-only',
      severity: 'error',
      from: { path: '^workflows/' },
      to: {
        pathNot:
          '^(workflows/|src/round/steps\\.ts$|src/core/(describe-issue|durations|input-error)\\.ts$|src/generation/question-type\\.ts$|src/evaluation/direct-answers\\.ts$|node_modules/@temporalio/(workflow|common)/|node_modules/zod/)',
        dependencyTypesNot: ['type-only'],
      },
    },
    {
      name: 'programs-stand-without-tests',
      severity: 'error',
      from: { pathNot: '^test/' },
      to: { path: '^test/' },
    },
    {
      name: 'programs-stand-without-benches',
      severity: 'error',
      from: { pathNot: '^(test|bench)/' },
      to: { path: '^bench/' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    // New files of a change, which lie in the project only in a copy of it.
    exclude: { path: '^examples/[^/]+/new/' },
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'node', 'default'] },
  },
};
