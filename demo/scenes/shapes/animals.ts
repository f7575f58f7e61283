import { markLines, marks, type Shape, silhouette } from './paint.ts';

/** Sitting, seen from the front: pointed ears, whiskers and a raised tail. */
export const cat: Shape = (paint) =>
  silhouette(
    '<path d="M66 92Q98 92 90 50Q88 42 82 46Q86 76 64 78Z"/>' +
      '<path d="M26 94Q22 62 36 52H64Q78 62 74 94Z"/>' +
      '<path d="M22 6L38 17Q50 13 62 17L78 6L80 38Q76 60 50 60Q24 60 20 38Z"/>',
    paint,
  ) +
  marks('<circle cx="38" cy="34" r="5"/><circle cx="62" cy="34" r="5"/><path d="M45 43H55L50 49Z"/>', paint) +
  markLines('<path d="M50 72V92M18 46L34 45M82 46L66 45"/>', paint, 3);

/** Standing, seen from the side: a snout, a hanging ear and a tail. */
export const dog: Shape = (paint) =>
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
export const bird: Shape = (paint) =>
  silhouette(
    '<path d="M4 44L30 46L30 66L8 70L14 58Z"/>' +
      '<path d="M24 58Q26 36 48 36Q50 14 68 14Q82 14 84 28L98 34L84 40Q84 80 54 80Q28 80 24 58Z"/>' +
      '<path d="M46 78L43 94H47L51 78ZM60 78L59 94H63L65 78Z"/>',
    paint,
  ) +
  marks('<circle cx="70" cy="27" r="5"/>', paint) +
  markLines('<path d="M34 52Q40 70 64 62Q62 50 50 50Z"/>', paint, 4);

/** Seen from the side: a big body on thick legs, a large ear, a tusk and a hanging trunk. */
export const elephant: Shape = (paint) =>
  silhouette(
    '<path d="M6 46Q8 18 38 18H58Q64 10 76 12Q92 14 94 34V76Q94 84 86 84V88Q98 92 98 74H94V34L80 52V60H72V94H56V70H38V94H20V66Q8 62 6 46Z"/>' +
      '<path d="M80 40Q84 60 84 80Q84 92 96 88V76Q92 78 92 72L94 40Z"/>',
    paint,
  ) +
  marks('<circle cx="84" cy="29" r="4"/>', paint) +
  markLines('<path d="M66 20Q50 20 50 38Q52 56 66 54Q74 50 74 36M80 54Q70 60 72 66"/>', paint, 4);
