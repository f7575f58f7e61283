import { demoExtensions } from '../demo/extensions.ts';
import type { Extensions } from '../src/round/extensions.ts';

/** The extensions of the workers and of the command line. A data source or a teacher's provider of your own is a line here. */
export const extensions: Extensions = {
  dataSources: { ...demoExtensions.dataSources },
  teacherProviders: { ...demoExtensions.teacherProviders },
};
