/**
 * How an endpoint's choices are found. `prompt-logprobs`: the one of the lowest loss, as the trainers rank. `written`: the one
 * that the model names, for servers that give no log-probabilities of prompts.
 */
export const rankings = ['prompt-logprobs', 'written'] as const;
export type Ranking = (typeof rankings)[number];
