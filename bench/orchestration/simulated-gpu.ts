/**
 * GPU workers that compute nothing: their steps take the time that they are given.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { GpuActivities } from '../../activities/gpu.ts';
import { withHeartbeat } from '../../activities/heartbeat.ts';
import { seededRandom } from '../../src/core/seeded-random.ts';

/** How long a simulated shard takes: 0.5 to 1.5 times the average, for shards differ. */
export function shardMilliseconds(shard: number, average: number): number {
  return average * (0.5 + seededRandom(`shard ${shard}`).uniform());
}

/** @param milliseconds of a step or a shard, on average */
export function simulatedGpuActivities(milliseconds: number): GpuActivities {
  const step = async ({ round, shard = 0 }: { round: number; shard?: number }) => {
    await withHeartbeat(round, () => sleep(shardMilliseconds(shard, milliseconds)));
    return {
      seconds: 0,
      reused: false,
      questions: 1,
      samples: 1,
      steps: 1,
      loss: 1,
      parity: 0,
      images: 1,
      nearTies: 0,
      accepted: 1,
      rejected: 0,
      tooEasy: 0,
      tooHard: 0,
      spare: 0,
    };
  };
  const askServedChunks = async () => ({ answered: 1, givenUp: 0, cost: 0 });
  return {
    askServedChunks,
    finetune: step,
    merge: step,
    checkServing: step,
    select: step,
    evaluateShard: step,
    embed: step,
    embedShard: step,
  };
}
