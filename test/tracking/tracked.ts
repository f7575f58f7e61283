/** Two rounds as a tracker is told of them. */
import type { TrackedRun } from '../../src/tracking/tracker.ts';

export function trackedRun(change: Partial<TrackedRun> = {}): TrackedRun {
  const at = (minutes: number) => new Date(Date.UTC(2026, 2, 1, 2, minutes)).toISOString();
  const curve = (from: number, steps: number) =>
    Array.from({ length: steps }, (_, index) => ({ step: index + 1, loss: from / (index + 1) }));
  return {
    name: 'nightly',
    id: 'a1b2c3d4',
    startedAt: at(0),
    settings: { 'finetune.lora.rank': 8, 'data.format': 'QMA', 'gate.policy': 'gate', 'évaluer ?': true },
    references: { run: '/runs/nightly' },
    rounds: [0, 1].map((round) => ({
      round,
      startedAt: at(10 * round),
      finishedAt: at(10 * round + 9),
      losses: curve(3 - round, 1203),
      validationLosses: [{ step: 600, loss: 0.5 }],
      scores: { 'validation.multipleChoice': { value: 0.6 + round / 10, low: 0.55, high: 0.65 } },
      figures: { samplesAdded: 12 * round, 'errors.counting': 0.25 },
      facts: { decision: 'accepted (test): gain of 1.5 points' },
      dataset:
        round === 0
          ? undefined
          : {
              version: 'f'.repeat(64),
              parents: ['e'.repeat(64)],
              samples: 12,
              reference: '/runs/nightly/dataset-versions',
            },
      references: { model: `/runs/nightly/round-${round}/merged` },
    })),
    ...change,
  };
}
