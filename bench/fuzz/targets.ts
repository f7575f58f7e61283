/** All that `npm run fuzz` feeds. */
import { benchmarkTargets } from './benchmarks.ts';
import { endpointTargets } from './endpoints.ts';
import { inputTargets } from './inputs.ts';
import { messageTargets } from './messages.ts';
import { newcomerTargets } from './newcomers.ts';
import { parserTargets } from './parsers.ts';
import { runRecordTargets } from './records.ts';
import { serverTargets } from './servers.ts';
import { storeTargets } from './store.ts';
import { tableTargets } from './tables.ts';
import type { FuzzTarget } from './target.ts';

export const fuzzTargets: readonly FuzzTarget[] = [
  ...inputTargets,
  ...messageTargets,
  ...runRecordTargets,
  ...storeTargets,
  ...serverTargets,
  ...parserTargets,
  ...endpointTargets,
  ...tableTargets,
  ...benchmarkTargets,
  ...newcomerTargets,
];
