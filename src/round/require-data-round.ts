import { InputError } from '../core/input-error.ts';

/** @throws InputError in round 0, which trains on no generated data */
export function requireDataRound(round: number, step: string): void {
  if (round >= 1) return;
  throw new InputError({
    file: 'command line',
    field: '--round',
    problem: `round 0 has no step ${step}`,
    remedy: 'Data is generated from round 1 on',
  });
}
