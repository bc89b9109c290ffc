/** A check, backup, restore or migration that cannot be done. The message is a sentence that says what to do next. */
export class MaintenanceError extends Error {
  override readonly name = 'MaintenanceError';
  readonly code:
    | 'no_data'
    | 'data_damaged'
    | 'data_newer'
    | 'data_not_empty'
    | 'target_exists'
    | 'target_unusable'
    | 'backup_invalid'
    | 'backup_missing'
    /** A database or an S3 store with other data than what is to come. */
    | 'target_not_empty'
    /** What was written there is not what is there. */
    | 'target_damaged'
    | 'source_changed'
    /** Servers use the database. */
    | 'servers_running'
    /** A database or an S3 store has failed in the middle. */
    | 'engine_unavailable';

  constructor(code: MaintenanceError['code'], message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
