import { colored, markLines, marks, type Shape, silhouette } from './paint.ts';

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
export const car: Shape = (paint) =>
  silhouette(
    '<path d="M4 72V54Q4 48 12 46L22 44L34 26Q36 24 40 24H64Q68 24 70 27L82 46L92 48Q96 49 96 56V72Z"/>',
    paint,
  ) +
  `<path d="M32 44L40 31H50V44ZM55 44V31H64L73 44Z" ${GLASS}/>` +
  wheel(25, 73, 13) +
  wheel(75, 73, 13);

/** Long and tall with a row of windows. */
export const bus: Shape = (paint) =>
  silhouette('<path d="M4 20Q4 12 12 12H88Q96 12 96 20V80H4Z"/>', paint) +
  `<path d="M10 22H26V42H10ZM32 22H48V42H32ZM54 22H70V42H54ZM76 22H91V64H76Z" ${GLASS}/>` +
  markLines('<path d="M6 54H70"/>', paint, 4) +
  wheel(26, 81, 12) +
  wheel(70, 81, 12);

/** A hull with two sails of its own color. */
export const boat: Shape = (paint) =>
  silhouette('<path d="M4 66H96L82 92H20Z"/><path d="M54 4V58H92Z"/><path d="M44 14V58H16Z"/>', paint) +
  '<path d="M49 4V66" stroke="#4a3420" stroke-width="5"/>' +
  markLines('<path d="M16 76H84"/>', paint, 4);

/** Two spoked wheels, a frame, a saddle and handlebars. */
export const bicycle: Shape = (paint) =>
  colored('<circle cx="22" cy="68" r="17"/><circle cx="78" cy="68" r="17"/>', 5, paint) +
  colored('<path d="M22 68L36 36H66L48 68H22M48 68L34 30M78 68L64 26H76M26 28H42"/>', 6, paint) +
  marks('<circle cx="22" cy="68" r="4"/><circle cx="78" cy="68" r="4"/><circle cx="48" cy="68" r="5"/>', paint);
