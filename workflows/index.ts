export { dataEngine } from './data-engine.ts';
export { generation } from './generation.ts';
export { promptOptimization } from './prompt-optimization.ts';
export { round } from './round.ts';
