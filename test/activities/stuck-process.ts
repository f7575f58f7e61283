/** A process of `step-processes.test.ts`. */
import { serveSteps } from '../../activities/step-process.ts';

serveSteps(async (name, facts) => {
  if (name === 'exit') process.exit(3);
  while (name === 'forever') Math.random();
  return name === 'pid' ? process.pid : facts;
});
