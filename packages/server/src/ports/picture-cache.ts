/** Files that can be made again, kept as long as there is room. Keys are file names that the server makes. */
export interface PictureCache {
  /** A path to write a file to that may be kept later; the caller removes it where it is not. */
  draft(): string;

  /** Takes a draft in under a key. Resolves to its path. */
  keep(key: string, draft: string): Promise<string>;

  /** The file's path; it is made once, however many ask at the same time. */
  get(key: string, make: (draft: string) => Promise<void>): Promise<string>;

  /** Forgets and removes files, those that are not there too. */
  remove(keys: string[]): void;
}
