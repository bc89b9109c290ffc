/** How much of a profile must be at hand to tell. */
export const ICC_HEADER_BYTES = 40;

/** Whether bytes begin as a colour profile does (ICC.1:2022, section 7.2): what only claims to be one can be anything. */
export function isIccProfile(start: Buffer): boolean {
  return start.length >= ICC_HEADER_BYTES && start.toString('latin1', 36, 40) === 'acsp';
}
