/** A check, backup or restore that cannot be done. The message is a sentence that says what to do next. */
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
    | 'backup_missing';

  constructor(code: MaintenanceError['code'], message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
