/** How a shape is colored. Shapes are drawn in a square of 100x100 units. */
export interface Paint {
  fill: string;
  /** The dark outline. */
  outline: string;
  /** Marks inside the shape: eyes, windows, the hands of a clock. */
  mark: string;
}

/** Returns the SVG elements of one category's silhouette. */
export type Shape = (paint: Paint) => string;

const HALO = '#ffffff';

/**
 * Draws a closed silhouette three times over: a light halo, the dark outline, the fill. The halo keeps a
 * black thing visible at night and the outline keeps a white one visible on snow.
 *
 * @param elements SVG elements without paint of their own
 */
export function silhouette(elements: string, paint: Paint): string {
  return (
    `<g fill="${HALO}" stroke="${HALO}" stroke-width="13" stroke-linejoin="round" stroke-linecap="round">${elements}</g>` +
    `<g fill="${paint.outline}" stroke="${paint.outline}" stroke-width="7" stroke-linejoin="round" stroke-linecap="round">${elements}</g>` +
    `<g fill="${paint.fill}">${elements}</g>`
  );
}

/** Draws lines of the thing's own color, such as the frame of a bicycle, with the same halo and outline. */
export function colored(elements: string, width: number, paint: Paint): string {
  const layer = (color: string, extra: number) =>
    `<g fill="none" stroke="${color}" stroke-width="${width + extra}" stroke-linejoin="round" stroke-linecap="round">${elements}</g>`;
  return layer(HALO, 13) + layer(paint.outline, 7) + layer(paint.fill, 0);
}

/** Draws marks inside the silhouette: filled ones. */
export function marks(elements: string, paint: Paint): string {
  return `<g fill="${paint.mark}">${elements}</g>`;
}

/** Draws marks inside the silhouette: lines. */
export function markLines(elements: string, paint: Paint, width = 4): string {
  return `<g fill="none" stroke="${paint.mark}" stroke-width="${width}" stroke-linecap="round" stroke-linejoin="round">${elements}</g>`;
}
