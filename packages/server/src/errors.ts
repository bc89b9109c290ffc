import { problems, type ProblemCode } from '@imgup/shared';

interface AppErrorOptions {
  /** Headers that the answer must carry, `Retry-After` say. */
  headers?: Record<string, string>;
  cause?: unknown;
}

/** A failure that the API answers with: a stable code, and a sentence for people that says what to do next. */
export class AppError extends Error {
  readonly code: ProblemCode;
  readonly headers: Record<string, string>;

  constructor(code: ProblemCode, detail: string, options: AppErrorOptions = {}) {
    super(detail, { cause: options.cause });
    this.name = 'AppError';
    this.code = code;
    this.headers = options.headers ?? {};
  }

  get status(): number {
    return problems[this.code].status;
  }
}

/** A setting that cannot be used, or a data folder or a store that cannot be opened: the server does not start. */
export class StartError extends Error {
  readonly code:
    | 'config_invalid'
    | 'data_in_use'
    | 'data_unreadable'
    | 'data_moved'
    | 'accounts_unavailable'
    | 'images_unusable'
    | 'port_in_use'
    | 'listen_failed';

  constructor(code: StartError['code'], message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'StartError';
    this.code = code;
  }
}
