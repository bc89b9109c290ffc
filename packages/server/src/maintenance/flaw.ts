/** What can be wrong with a data folder. Scripts branch on these; a kind never changes its meaning. */
export type FlawKind =
  /** db.json cannot be read as accounts; mended from the copy before the last change. */
  | 'accounts_damaged'
  /** There are pictures, and no db.json. */
  | 'accounts_missing'
  | 'secret_damaged'
  /** Others on the machine may read a file that holds secrets. */
  | 'mode_open'
  | 'picture_without_record'
  | 'record_without_picture'
  /** The record is no record, or contradicts its path. */
  | 'record_damaged'
  /** The picture's length or digest is not the recorded one, or it cannot be read. */
  | 'picture_damaged'
  | 'pointer_dangling'
  /** A pointer names a picture of another digest. */
  | 'pointer_wrong'
  | 'record_without_pointer'
  /** The owner has the same bytes under another id, which is the one that the pointer names. */
  | 'twin'
  /** Pictures of somebody who is no user, and whose pictures were not to be kept. */
  | 'leftover'
  | 'half_received'
  /** A file that was being written when a server ended. */
  | 'draft'
  /** Nothing that a server writes. */
  | 'stray';

export interface Flaw {
  kind: FlawKind;
  /** In the data folder, with "/" on every system. */
  path: string;
  /** Null where only a person can. */
  mend: (() => Promise<void>) | null;
}
