/**
 * The silhouettes of the demo's 16 categories as SVG, each in a square of 100x100 units.
 */
import type { CategoryName } from './vocabulary.ts';

/** How a shape is colored. Shapes are drawn in a square of 100x100 units. */
export interface Paint {
  fill: string;
  /** The dark outline. */
  outline: string;
  /** Marks inside the shape: eyes, windows, the hands of a clock. */
  mark: string;
}

/** Returns the SVG elements of one category's silhouette. */
type Shape = (paint: Paint) => string;

const HALO = '#ffffff';

/**
 * Draws a closed silhouette three times over: a light halo, the dark outline, the fill. The halo keeps a
 * black thing visible at night and the outline keeps a white one visible on snow.
 *
 * @param elements SVG elements without paint of their own
 */
function silhouette(elements: string, paint: Paint): string {
  return (
    `<g fill="${HALO}" stroke="${HALO}" stroke-width="13" stroke-linejoin="round" stroke-linecap="round">${elements}</g>` +
    `<g fill="${paint.outline}" stroke="${paint.outline}" stroke-width="7" stroke-linejoin="round" stroke-linecap="round">${elements}</g>` +
    `<g fill="${paint.fill}">${elements}</g>`
  );
}

/** Draws lines of the thing's own color, such as the frame of a bicycle, with the same halo and outline. */
function colored(elements: string, width: number, paint: Paint): string {
  const layer = (color: string, extra: number) =>
    `<g fill="none" stroke="${color}" stroke-width="${width + extra}" stroke-linejoin="round" stroke-linecap="round">${elements}</g>`;
  return layer(HALO, 13) + layer(paint.outline, 7) + layer(paint.fill, 0);
}

/** Draws marks inside the silhouette: filled ones. */
function marks(elements: string, paint: Paint): string {
  return `<g fill="${paint.mark}">${elements}</g>`;
}

/** Draws marks inside the silhouette: lines. */
function markLines(elements: string, paint: Paint, width = 4): string {
  return `<g fill="none" stroke="${paint.mark}" stroke-width="${width}" stroke-linecap="round" stroke-linejoin="round">${elements}</g>`;
}

/** Sitting, seen from the front: pointed ears, whiskers and a raised tail. */
const cat: Shape = (paint) =>
  silhouette(
    '<path d="M66 92Q98 92 90 50Q88 42 82 46Q86 76 64 78Z"/>' +
      '<path d="M26 94Q22 62 36 52H64Q78 62 74 94Z"/>' +
      '<path d="M22 6L38 17Q50 13 62 17L78 6L80 38Q76 60 50 60Q24 60 20 38Z"/>',
    paint,
  ) +
  marks('<circle cx="38" cy="34" r="5"/><circle cx="62" cy="34" r="5"/><path d="M45 43H55L50 49Z"/>', paint) +
  markLines('<path d="M50 72V92M18 46L34 45M82 46L66 45"/>', paint, 3);

/** Standing, seen from the side: a snout, a hanging ear and a tail. */
const dog: Shape = (paint) =>
  silhouette(
    '<path d="M14 48Q2 38 6 22Q12 20 14 26Q14 38 24 42Z"/>' +
      '<path d="M14 46Q16 40 26 40H58L60 20Q62 10 74 12L82 18L96 24Q98 36 86 38L78 40L76 62Q76 68 72 70V94H60V70H30V94H18V66Q12 60 14 46Z"/>',
    paint,
  ) +
  marks(
    '<circle cx="76" cy="22" r="4"/><circle cx="94" cy="27" r="4"/><path d="M60 16Q52 22 56 40Q64 42 66 32Z"/>',
    paint,
  );

/** Seen from the side: a round body, a beak, a wing, a fan of a tail and thin legs. */
const bird: Shape = (paint) =>
  silhouette(
    '<path d="M4 44L30 46L30 66L8 70L14 58Z"/>' +
      '<path d="M24 58Q26 36 48 36Q50 14 68 14Q82 14 84 28L98 34L84 40Q84 80 54 80Q28 80 24 58Z"/>' +
      '<path d="M46 78L43 94H47L51 78ZM60 78L59 94H63L65 78Z"/>',
    paint,
  ) +
  marks('<circle cx="70" cy="27" r="5"/>', paint) +
  markLines('<path d="M34 52Q40 70 64 62Q62 50 50 50Z"/>', paint, 4);

/** Seen from the side: a big body on thick legs, a large ear, a tusk and a hanging trunk. */
const elephant: Shape = (paint) =>
  silhouette(
    '<path d="M6 46Q8 18 38 18H58Q64 10 76 12Q92 14 94 34V76Q94 84 86 84V88Q98 92 98 74H94V34L80 52V60H72V94H56V70H38V94H20V66Q8 62 6 46Z"/>' +
      '<path d="M80 40Q84 60 84 80Q84 92 96 88V76Q92 78 92 72L94 40Z"/>',
    paint,
  ) +
  marks('<circle cx="84" cy="29" r="4"/>', paint) +
  markLines('<path d="M66 20Q50 20 50 38Q52 56 66 54Q74 50 74 36M80 54Q70 60 72 66"/>', paint, 4);

const WHEEL = '#2b2b2b';
const HUB = '#d9d9d9';

function wheel(x: number, y: number, radius: number): string {
  return (
    `<circle cx="${x}" cy="${y}" r="${radius}" fill="${WHEEL}" stroke="#ffffff" stroke-width="2"/>` +
    `<circle cx="${x}" cy="${y}" r="${radius * 0.4}" fill="${HUB}"/>`
  );
}

const GLASS = 'fill="#cfe8f5" stroke="#333333" stroke-width="2"';

/** A sedan from the side. */
const car: Shape = (paint) =>
  silhouette(
    '<path d="M4 72V54Q4 48 12 46L22 44L34 26Q36 24 40 24H64Q68 24 70 27L82 46L92 48Q96 49 96 56V72Z"/>',
    paint,
  ) +
  `<path d="M32 44L40 31H50V44ZM55 44V31H64L73 44Z" ${GLASS}/>` +
  wheel(25, 73, 13) +
  wheel(75, 73, 13);

/** Long and tall with a row of windows. */
const bus: Shape = (paint) =>
  silhouette('<path d="M4 20Q4 12 12 12H88Q96 12 96 20V80H4Z"/>', paint) +
  `<path d="M10 22H26V42H10ZM32 22H48V42H32ZM54 22H70V42H54ZM76 22H91V64H76Z" ${GLASS}/>` +
  markLines('<path d="M6 54H70"/>', paint, 4) +
  wheel(26, 81, 12) +
  wheel(70, 81, 12);

/** A hull with two sails of its own color. */
const boat: Shape = (paint) =>
  silhouette('<path d="M4 66H96L82 92H20Z"/><path d="M54 4V58H92Z"/><path d="M44 14V58H16Z"/>', paint) +
  '<path d="M49 4V66" stroke="#4a3420" stroke-width="5"/>' +
  markLines('<path d="M16 76H84"/>', paint, 4);

/** Two spoked wheels, a frame, a saddle and handlebars. */
const bicycle: Shape = (paint) =>
  colored('<circle cx="22" cy="68" r="17"/><circle cx="78" cy="68" r="17"/>', 5, paint) +
  colored('<path d="M22 68L36 36H66L48 68H22M48 68L34 30M78 68L64 26H76M26 28H42"/>', 6, paint) +
  marks('<circle cx="22" cy="68" r="4"/><circle cx="78" cy="68" r="4"/><circle cx="48" cy="68" r="5"/>', paint);

/** Two lobes, a stem and a leaf. */
const apple: Shape = (paint) =>
  silhouette(
    '<path d="M50 32Q62 20 78 26Q96 36 88 64Q80 92 64 94Q56 95 50 90Q44 95 36 94Q20 92 12 64Q4 36 22 26Q38 20 50 32Z"/>',
    paint,
  ) +
  '<path d="M50 34Q50 18 56 6" fill="none" stroke="#ffffff" stroke-width="11"/>' +
  '<path d="M50 34Q50 18 56 6" fill="none" stroke="#5a3a1a" stroke-width="6"/>' +
  '<path d="M56 20Q70 2 88 10Q78 26 56 20Z" fill="#3d8b37" stroke="#1d4a1a" stroke-width="3"/>' +
  markLines('<path d="M24 44Q18 56 26 70"/>', paint, 4);

/** A thick crescent with dark ends. */
const banana: Shape = (paint) =>
  silhouette('<path d="M10 22Q16 14 24 20Q26 62 62 66Q78 68 92 56Q100 62 94 72Q76 94 48 88Q8 78 10 22Z"/>', paint) +
  '<path d="M9 23Q16 12 25 20L24 30L11 32Z" fill="#4a3420"/><path d="M92 56Q101 62 94 73L86 68Z" fill="#4a3420"/>' +
  markLines('<path d="M19 40Q26 74 60 78Q74 79 84 73"/>', paint, 3);

/** A slice: a triangle under a thick crust, with round toppings. */
const pizza: Shape = (paint) =>
  silhouette('<path d="M6 24Q50 -2 94 24L86 36L52 96L48 96L14 36Z"/>', paint) +
  '<path d="M6 24Q50 -2 94 24L88 36Q50 16 12 36Z" fill="#b9793a" stroke="#5a3a1a" stroke-width="3"/>' +
  marks('<circle cx="38" cy="44" r="7"/><circle cx="62" cy="42" r="7"/><circle cx="51" cy="66" r="7"/>', paint);

/** Two tiers on a plate with three lit candles. */
const cake: Shape = (paint) =>
  silhouette('<path d="M24 36H76V60H92V90H8V60H24Z"/>', paint) +
  markLines(
    '<path d="M24 46Q32 54 40 46Q50 54 60 46Q68 54 76 46M8 70Q18 80 29 70Q40 80 50 70Q60 80 71 70Q82 80 92 70"/>',
    paint,
    4,
  ) +
  '<g stroke="#ffffff" stroke-width="9"><path d="M36 34V16M50 34V14M64 34V16"/></g>' +
  '<g stroke="#cc5588" stroke-width="5"><path d="M36 34V18M50 34V16M64 34V18"/></g>' +
  '<g fill="#ffb000"><circle cx="36" cy="12" r="5"/><circle cx="50" cy="9" r="5"/><circle cx="64" cy="12" r="5"/></g>';

/** From the side: a tall back on the left, a seat, two legs. */
const chair: Shape = (paint) =>
  silhouette('<path d="M18 4H32V48H82V94H70V62H32V94H18Z"/>', paint) + markLines('<path d="M33 55H78"/>', paint, 3);

/** An open dome with scallops, ribs and a hooked handle. */
const umbrella: Shape = (paint) =>
  '<path d="M50 44V82Q50 92 60 92Q70 92 70 82" fill="none" stroke="#ffffff" stroke-width="15" stroke-linecap="round"/>' +
  '<path d="M50 44V82Q50 92 60 92Q70 92 70 82" fill="none" stroke="#3a2a1a" stroke-width="8" stroke-linecap="round"/>' +
  silhouette('<path d="M4 54Q8 8 50 8Q92 8 96 54Q84 44 73 54Q62 44 50 54Q38 44 27 54Q16 44 4 54Z"/>', paint) +
  markLines('<path d="M50 10Q30 26 27 52M50 10Q70 26 73 52M50 10V52"/>', paint, 3);

/** An alarm clock: a dial with hands, two bells and two feet. */
const clock: Shape = (paint) =>
  silhouette(
    '<circle cx="50" cy="56" r="36"/><circle cx="22" cy="18" r="13"/><circle cx="78" cy="18" r="13"/>' +
      '<path d="M22 82L12 95H22L32 88ZM78 82L88 95H78L68 88Z"/>',
    paint,
  ) +
  markLines('<circle cx="50" cy="56" r="27"/>', paint, 3) +
  markLines('<path d="M50 36V56L64 64"/>', paint, 6) +
  marks('<circle cx="50" cy="56" r="5"/>', paint);

/** A mug with a handle and steam. */
const cup: Shape = (paint) =>
  colored('<path d="M70 50Q92 46 90 64Q88 80 68 78"/>', 7, paint) +
  silhouette('<path d="M10 36H72V76Q72 94 54 94H28Q10 94 10 76Z"/>', paint) +
  markLines('<path d="M12 46H70"/>', paint, 4) +
  '<g fill="none" stroke="#ffffff" stroke-width="9" stroke-linecap="round"><path d="M28 26Q20 18 28 8M52 26Q44 18 52 8"/></g>' +
  '<g fill="none" stroke="#777777" stroke-width="4" stroke-linecap="round"><path d="M28 26Q20 18 28 8M52 26Q44 18 52 8"/></g>';

/** The silhouette of each category, in a square of 100x100 units. */
export const SHAPES: Readonly<Record<CategoryName, Shape>> = {
  cat,
  dog,
  bird,
  elephant,
  car,
  bus,
  boat,
  bicycle,
  apple,
  banana,
  pizza,
  cake,
  chair,
  umbrella,
  clock,
  cup,
};
