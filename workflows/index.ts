export { dataEngine } from './data-engine.ts';
export { generation } from './generation.ts';
export { round } from './round.ts';
