export { dataEngine } from './data-engine.ts';
export { generation, verification } from './generation.ts';
export { promptOptimization } from './prompt-optimization.ts';
export { round } from './round.ts';
