export { dataEngine } from './data-engine.ts';
export { dataEngineGeneration, dataEngineJudging, dataEngineVerification } from './generation.ts';
export { dataEnginePromptOptimization } from './prompt-optimization.ts';
export { dataEngineRound } from './round.ts';
