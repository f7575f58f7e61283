import type { Background } from './vocabulary.ts';

/** SVG elements that fill a canvas of 160x160 pixels. Pale or grayish, so that the colors of things stand out. */
export const BACKGROUND_DRAWINGS: Readonly<Record<Background, string>> = {
  beach:
    '<rect width="160" height="56" fill="#c9e6f2"/><rect y="56" width="160" height="50" fill="#8cc3d6"/>' +
    '<path d="M0 88Q40 78 80 88T160 88V160H0Z" fill="#ecdcae"/>' +
    '<path d="M0 68q10-6 20 0t20 0 20 0 20 0 20 0 20 0 20 0 20 0" fill="none" stroke="#b9dde8" stroke-width="3"/>' +
    '<circle cx="138" cy="20" r="11" fill="#fbe9a3"/>',
  street:
    '<rect width="160" height="160" fill="#d5dade"/><path d="M0 14H34V80H0ZM40 30H74V80H40ZM80 6H116V80H80ZM122 24H160V80H122Z" fill="#a9a3a0"/>' +
    '<path d="M6 22H14V32H6ZM20 22H28V32H20ZM6 44H14V54H6ZM20 44H28V54H20ZM48 40H56V50H48ZM60 40H68V50H60ZM88 16H96V26H88ZM102 16H110V26H102ZM88 40H96V50H88ZM102 40H110V50H102ZM130 34H138V44H130ZM144 34H152V44H144Z" fill="#e9e3c8"/>' +
    '<rect y="80" width="160" height="80" fill="#80858a"/><path d="M8 120H34M50 120H76M92 120H118M134 120H160" stroke="#f2f2f2" stroke-width="5"/>',
  park:
    '<rect width="160" height="70" fill="#d3ecf5"/><path d="M0 66Q80 52 160 66V160H0Z" fill="#b4d99a"/>' +
    '<rect x="16" y="42" width="8" height="30" fill="#9a7b5a"/><circle cx="20" cy="32" r="20" fill="#8fc07f"/>' +
    '<rect x="134" y="38" width="8" height="30" fill="#9a7b5a"/><circle cx="138" cy="28" r="19" fill="#8fc07f"/>' +
    '<path d="M10 100l4-8 4 8M60 140l4-8 4 8M120 110l4-8 4 8M90 90l4-8 4 8M30 150l4-8 4 8M145 145l4-8 4 8" fill="none" stroke="#7fae69" stroke-width="2.5"/>',
  snow:
    '<rect width="160" height="160" fill="#c3d0dc"/><path d="M0 60L30 22L58 60L90 14L126 60L146 36L160 54V160H0Z" fill="#aebccb"/>' +
    '<path d="M30 22L42 38L30 36L20 36ZM90 14L106 34L90 30L76 34Z" fill="#f7fbff"/><path d="M0 66Q40 54 80 64T160 62V160H0Z" fill="#eef4f9"/>' +
    '<g fill="#ffffff"><circle cx="14" cy="12" r="3"/><circle cx="50" cy="8" r="3"/><circle cx="66" cy="30" r="3"/><circle cx="120" cy="16" r="3"/><circle cx="148" cy="10" r="3"/><circle cx="8" cy="40" r="3"/></g>' +
    '<path d="M0 110Q40 100 80 108T160 104" fill="none" stroke="#d3dfe9" stroke-width="4"/>',
  kitchen:
    '<rect width="160" height="160" fill="#f0e2d0"/><path d="M0 20H160M0 40H160M0 60H160M0 80H160M20 0V100M40 0V100M60 0V100M80 0V100M100 0V100M120 0V100M140 0V100" stroke="#d9c6ae" stroke-width="2"/>' +
    '<rect y="92" width="160" height="8" fill="#8f7a68"/><rect y="100" width="160" height="60" fill="#c9a98a"/>' +
    '<path d="M8 108H46V154H8ZM60 108H100V154H60ZM114 108H152V154H114Z" fill="#d8bb9d" stroke="#a98b6c" stroke-width="2.5"/>',
  night:
    '<rect width="160" height="160" fill="#27304f"/><path d="M0 108Q50 90 100 106T160 100V160H0Z" fill="#3a4338"/>' +
    '<path d="M134 8A15 15 0 1 0 150 30A12 12 0 0 1 134 8Z" fill="#f4efc4"/>' +
    '<g fill="#e8ecff"><circle cx="14" cy="16" r="2"/><circle cx="40" cy="34" r="2"/><circle cx="62" cy="12" r="2"/><circle cx="88" cy="30" r="2"/><circle cx="108" cy="14" r="2"/><circle cx="24" cy="62" r="2"/><circle cx="76" cy="58" r="2"/><circle cx="120" cy="60" r="2"/><circle cx="150" cy="76" r="2"/><circle cx="50" cy="86" r="2"/></g>',
};
