import { colored, markLines, marks, type Shape, silhouette } from './paint.ts';

/** From the side: a tall back on the left, a seat, two legs. */
export const chair: Shape = (paint) =>
  silhouette('<path d="M18 4H32V48H82V94H70V62H32V94H18Z"/>', paint) + markLines('<path d="M33 55H78"/>', paint, 3);

/** An open dome with scallops, ribs and a hooked handle. */
export const umbrella: Shape = (paint) =>
  '<path d="M50 44V82Q50 92 60 92Q70 92 70 82" fill="none" stroke="#ffffff" stroke-width="15" stroke-linecap="round"/>' +
  '<path d="M50 44V82Q50 92 60 92Q70 92 70 82" fill="none" stroke="#3a2a1a" stroke-width="8" stroke-linecap="round"/>' +
  silhouette('<path d="M4 54Q8 8 50 8Q92 8 96 54Q84 44 73 54Q62 44 50 54Q38 44 27 54Q16 44 4 54Z"/>', paint) +
  markLines('<path d="M50 10Q30 26 27 52M50 10Q70 26 73 52M50 10V52"/>', paint, 3);

/** An alarm clock: a dial with hands, two bells and two feet. */
export const clock: Shape = (paint) =>
  silhouette(
    '<circle cx="50" cy="56" r="36"/><circle cx="22" cy="18" r="13"/><circle cx="78" cy="18" r="13"/>' +
      '<path d="M22 82L12 95H22L32 88ZM78 82L88 95H78L68 88Z"/>',
    paint,
  ) +
  markLines('<circle cx="50" cy="56" r="27"/>', paint, 3) +
  markLines('<path d="M50 36V56L64 64"/>', paint, 6) +
  marks('<circle cx="50" cy="56" r="5"/>', paint);

/** A mug with a handle and steam. */
export const cup: Shape = (paint) =>
  colored('<path d="M70 50Q92 46 90 64Q88 80 68 78"/>', 7, paint) +
  silhouette('<path d="M10 36H72V76Q72 94 54 94H28Q10 94 10 76Z"/>', paint) +
  markLines('<path d="M12 46H70"/>', paint, 4) +
  '<g fill="none" stroke="#ffffff" stroke-width="9" stroke-linecap="round"><path d="M28 26Q20 18 28 8M52 26Q44 18 52 8"/></g>' +
  '<g fill="none" stroke="#777777" stroke-width="4" stroke-linecap="round"><path d="M28 26Q20 18 28 8M52 26Q44 18 52 8"/></g>';
