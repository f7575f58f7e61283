/** Who may import whom: docs/architecture.md. */
const src = (...names) => `^src/(${names.join('|')})/`;
const programs = '^(workflows|activities|workers|cli|bench|scripts|examples|test)/';

module.exports = {
  forbidden: [
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    { name: 'unresolvable', severity: 'error', from: {}, to: { couldNotResolve: true } },
    {
      name: 'core-stands-alone',
      severity: 'error',
      from: { path: src('core') },
      to: { path: '^(src|demo)/', pathNot: src('core') },
    },
    {
      name: 'model-knows-no-data',
      severity: 'error',
      from: { path: src('model') },
      to: { path: '^(src|demo)/', pathNot: src('core', 'model') },
    },
    {
      name: 'datasets-stand-alone',
      severity: 'error',
      from: { path: src('datasets') },
      to: { path: '^(src|demo)/', pathNot: src('core', 'config', 'datasets') },
    },
    {
      name: 'teacher-stands-alone',
      severity: 'error',
      from: { path: src('teacher') },
      to: { path: '^(src|demo)/', pathNot: src('core', 'config', 'teacher') },
    },
    {
      name: 'generation-knows-no-model',
      severity: 'error',
      from: { path: src('generation') },
      to: { path: '^(src|demo)/', pathNot: src('core', 'config', 'datasets', 'teacher', 'generation') },
    },
    {
      name: 'evaluation-knows-no-model',
      severity: 'error',
      from: { path: src('evaluation') },
      to: {
        path: '^(src|demo)/',
        pathNot: [src('core', 'config', 'datasets', 'teacher', 'evaluation'), '^src/trainer/protocol'],
      },
    },
    {
      name: 'trainer-knows-no-round',
      severity: 'error',
      from: { path: src('trainer') },
      to: { path: '^(src|demo)/', pathNot: src('core', 'config', 'model', 'datasets', 'trainer') },
    },
    {
      name: 'report-reads-results-only',
      severity: 'error',
      from: { path: src('report') },
      to: { path: '^(src|demo)/', pathNot: src('core', 'evaluation', 'report') },
    },
    {
      name: 'libraries-know-no-temporal',
      severity: 'error',
      from: { path: '^src/' },
      to: { path: 'node_modules/@temporalio/' },
    },
    { name: 'libraries-know-no-programs', severity: 'error', from: { path: '^src/' }, to: { path: programs } },
    { name: 'libraries-know-no-demo', severity: 'error', from: { path: '^src/' }, to: { path: '^demo/' } },
    {
      name: 'workflows-take-types-only',
      severity: 'error',
      from: { path: '^workflows/' },
      to: {
        pathNot: '^(workflows/|src/round/steps\\.ts$|node_modules/@temporalio/(workflow|common)/)',
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
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'node', 'default'] },
  },
};
