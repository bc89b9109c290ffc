/**
 * What another program needs to upload with a key, and what a person does with it, a sentence a line.
 *
 * @param origin of the server: whatever `URL.origin` can be
 * @param key matches `KEY_PATTERN`, so it needs no quoting anywhere
 */
export type Integration = (origin: string, key: string) => { configuration: string; advice: string[] };
