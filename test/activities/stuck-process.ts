/** A process of `step-processes.test.ts`; for it a step computes without end. */
import { serveSteps } from '../../activities/step-process.ts';

serveSteps(async (name, facts) => {
  if (name === 'exit') process.exit(3);
  while (name === 'forever' || name === 'prepareData') Math.random();
  return name === 'pid' ? process.pid : facts;
});
