import { writeSceneDataset } from '../../demo/scenes/write-dataset.ts';
import { oneAtATime } from '../core/remote/one-at-a-time.ts';
import type { StepContext } from './step-context.ts';

/**
 * Renders the demo domain when the config asks for it and it is not on this disk yet. The same options give the same
 * images on every machine, so none of them has to be sent.
 */
export async function renderScenes({
  config,
  signal,
  onProgress,
}: Pick<StepContext, 'config' | 'signal' | 'onProgress'>): Promise<void> {
  const { scenes, root } = config.data;
  if (scenes === undefined) return;
  const render = () =>
    writeSceneDataset({
      root,
      ...scenes,
      signal,
      onProgress: (step, steps) => onProgress({ phase: 'render', step, steps }),
    });
  await oneAtATime(`scenes ${root}`, render, signal);
}
