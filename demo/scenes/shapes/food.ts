import { markLines, marks, type Shape, silhouette } from './paint.ts';

/** Two lobes, a stem and a leaf. */
export const apple: Shape = (paint) =>
  silhouette(
    '<path d="M50 32Q62 20 78 26Q96 36 88 64Q80 92 64 94Q56 95 50 90Q44 95 36 94Q20 92 12 64Q4 36 22 26Q38 20 50 32Z"/>',
    paint,
  ) +
  '<path d="M50 34Q50 18 56 6" fill="none" stroke="#ffffff" stroke-width="11"/>' +
  '<path d="M50 34Q50 18 56 6" fill="none" stroke="#5a3a1a" stroke-width="6"/>' +
  '<path d="M56 20Q70 2 88 10Q78 26 56 20Z" fill="#3d8b37" stroke="#1d4a1a" stroke-width="3"/>' +
  markLines('<path d="M24 44Q18 56 26 70"/>', paint, 4);

/** A thick crescent with dark ends. */
export const banana: Shape = (paint) =>
  silhouette('<path d="M10 22Q16 14 24 20Q26 62 62 66Q78 68 92 56Q100 62 94 72Q76 94 48 88Q8 78 10 22Z"/>', paint) +
  '<path d="M9 23Q16 12 25 20L24 30L11 32Z" fill="#4a3420"/><path d="M92 56Q101 62 94 73L86 68Z" fill="#4a3420"/>' +
  markLines('<path d="M19 40Q26 74 60 78Q74 79 84 73"/>', paint, 3);

/** A slice: a triangle under a thick crust, with round toppings. */
export const pizza: Shape = (paint) =>
  silhouette('<path d="M6 24Q50 -2 94 24L86 36L52 96L48 96L14 36Z"/>', paint) +
  '<path d="M6 24Q50 -2 94 24L88 36Q50 16 12 36Z" fill="#b9793a" stroke="#5a3a1a" stroke-width="3"/>' +
  marks('<circle cx="38" cy="44" r="7"/><circle cx="62" cy="42" r="7"/><circle cx="51" cy="66" r="7"/>', paint);

/** Two tiers on a plate with three lit candles. */
export const cake: Shape = (paint) =>
  silhouette('<path d="M24 36H76V60H92V90H8V60H24Z"/>', paint) +
  markLines(
    '<path d="M24 46Q32 54 40 46Q50 54 60 46Q68 54 76 46M8 70Q18 80 29 70Q40 80 50 70Q60 80 71 70Q82 80 92 70"/>',
    paint,
    4,
  ) +
  '<g stroke="#ffffff" stroke-width="9"><path d="M36 34V16M50 34V14M64 34V16"/></g>' +
  '<g stroke="#cc5588" stroke-width="5"><path d="M36 34V18M50 34V16M64 34V18"/></g>' +
  '<g fill="#ffb000"><circle cx="36" cy="12" r="5"/><circle cx="50" cy="9" r="5"/><circle cx="64" cy="12" r="5"/></g>';
