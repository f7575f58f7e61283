export { dataEngine } from './data-engine.ts';
export { dataEngineEndpointEvaluation } from './endpoint-evaluation.ts';
export { dataEngineGeneration, dataEngineJudging, dataEngineVerification } from './generation.ts';
export { dataEnginePromptOptimization } from './prompt-optimization.ts';
export { dataEnginePrune } from './prune.ts';
export { dataEngineRound } from './round.ts';
