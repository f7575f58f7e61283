import { createCpuActivities } from '../../activities/cpu.ts';
import { createTeacherActivities } from '../../activities/teacher.ts';
import { loadWorkerSettings } from '../../src/core/worker-settings.ts';
import { extensions } from '../../workers/extensions.ts';

/** What activities of the tests' workers depend on. */
export const dependencies = { extensions, settings: await loadWorkerSettings() };

/** The activities of CPU workers and of the teacher's queue, for tests where one worker has them all. */
export const cpuAndTeacherActivities = () => ({
  ...createCpuActivities(dependencies),
  ...createTeacherActivities(dependencies),
});
