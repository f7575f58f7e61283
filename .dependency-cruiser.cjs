/** Who may import whom; see "The house" in README.md. */
const library = '^(model|datasets|evaluation|generation|training|trainer|steps|store|random|report|configs)/';

module.exports = {
  forbidden: [
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true, dependencyTypesNot: ['type-only'] } },
    { name: 'unresolvable', severity: 'error', from: {}, to: { couldNotResolve: true } },
    {
      name: 'ground-floor',
      comment: 'store/ and random/ import nothing of ours above them',
      severity: 'error',
      from: { path: '^(store|random)/' },
      to: {
        path: '^(model|datasets|evaluation|generation|training|trainer|steps|report|configs|activities|workflows|workers|cli)/',
      },
    },
    {
      name: 'model-and-datasets-stand-alone',
      severity: 'error',
      from: { path: '^(model|datasets)/' },
      to: { path: '^(evaluation|generation|training|trainer|steps|report|configs|activities|workflows|workers|cli)/' },
    },
    {
      name: 'model-knows-no-data',
      severity: 'error',
      from: { path: '^model/' },
      to: { path: '^datasets/' },
    },
    {
      name: 'generation-knows-no-model',
      severity: 'error',
      from: { path: '^generation/' },
      to: { path: '^(model|training|trainer|steps|report|activities|workflows|workers|cli)/' },
    },
    {
      name: 'libraries-know-no-temporal',
      severity: 'error',
      from: { path: library },
      to: { path: 'node_modules/@temporalio/' },
    },
    {
      name: 'libraries-know-no-programs',
      severity: 'error',
      from: { path: library },
      to: { path: '^(activities|workflows|workers|cli)/' },
    },
    {
      name: 'workflows-take-types-only',
      severity: 'error',
      from: { path: '^workflows/' },
      to: { pathNot: '^(workflows/|node_modules/@temporalio/(workflow|common)/)', dependencyTypesNot: ['type-only'] },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'node', 'default'] },
  },
};
