export { dataEngine } from './data-engine.ts';
export { round } from './round.ts';
