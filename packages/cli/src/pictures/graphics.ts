/** The ways in which terminals show pictures; the last works in each that has colours. */
export const GRAPHICS = ['kitty', 'iterm2', 'sixel', 'blocks'] as const;
export type Graphics = (typeof GRAPHICS)[number];
