/**
 * What the demo adds to the library: its world of rendered scenes, and the teacher that knows it.
 */
import type { DataSource, Extensions } from '../src/round/extensions.ts';
import { localTeacher } from './local-teacher/provider.ts';

/** `data.scenes`: renders the demo's images, and writes their annotations, questions and captions. */
const scenes: DataSource = {
  async prepare({ config, signal, onProgress }) {
    const { root, scenes: options } = config.data;
    if (options === undefined) return;
    // Loaded when it is needed: most commands draw nothing.
    const { writeSceneDataset } = await import('./scenes/write-dataset.ts');
    await writeSceneDataset({ root, ...options, signal, onProgress });
  },
};

export const demoExtensions: Extensions = { dataSources: { scenes }, teacherProviders: { local: localTeacher } };
