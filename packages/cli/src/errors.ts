import {
  DEFAULT_SERVER,
  IMAGE_TYPE_NAMES,
  KEYS_MAX,
  KEY_NAME_MAX,
  PASSWORD_MAX_BYTES,
  PASSWORD_MIN_BYTES,
  USERNAME_MAX,
  USERNAME_MIN,
  problems,
  type ProblemCode,
} from '@imgup/shared/constants';
import { TransportError, type TransportErrorCode } from './api/transport.ts';
import { CredentialStoreError } from './credentials/credential-store-error.ts';
import { printable } from './printable.ts';

/** What scripts branch on. A code never changes its meaning. */
export const EXIT = {
  failed: 1,
  usage: 2,
  partly: 3,
  session: 4,
  refused: 5,
  limit: 6,
  unreachable: 7,
  interrupted: 130,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** A failure as a person and a script see it: one sentence that says what to do next, a stable code, an exit code. */
export class CliError extends Error {
  override readonly name = 'CliError';
  readonly code: string;
  readonly exitCode: ExitCode;
  /** What `--json` prints beside the error: a command can fail and have a result. */
  readonly result: object;
  /** Whether it is shown as JSON though the command line does not ask for that: the settings do. */
  json = false;
  /** The file that the message names, or null. */
  readonly path: string | null;

  constructor(
    code: string,
    exitCode: ExitCode,
    message: string,
    options: ErrorOptions & { result?: object; path?: string } = {},
  ) {
    super(message, options);
    this.code = code;
    this.exitCode = exitCode;
    this.result = options.result ?? {};
    this.path = options.path ?? null;
  }
}

/** A problem (RFC 9457) that the server answered with. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly code: string;
  readonly origin: string;
  /** The seconds of `Retry-After`, where the server sent one. */
  readonly retryAfter: number | null;
  /** What `RateLimit-Policy` says, where the server sent it. */
  readonly limit: { uploads: number; windowSeconds: number } | null;
  /** What the server's log calls the request, where it said so. */
  readonly requestId: string | null;

  constructor(problem: {
    code: string;
    detail: string;
    origin: string;
    retryAfter: number | null;
    limit: { uploads: number; windowSeconds: number } | null;
    requestId?: string | null;
  }) {
    super(problem.detail);
    this.code = problem.code;
    this.origin = problem.origin;
    this.retryAfter = problem.retryAfter;
    this.limit = problem.limit;
    this.requestId = problem.requestId ?? null;
  }
}

export function usageError(message: string): CliError {
  return new CliError('usage', EXIT.usage, message);
}

/** How to log in at a server, as a person would type it. */
export function loginCommand(origin: string): string {
  return origin === DEFAULT_SERVER ? 'imgup login' : `imgup login --server ${origin}`;
}

/** Turns whatever was thrown into the failure that is shown. */
export function explain(error: unknown): CliError {
  if (error instanceof CliError) return error;
  if (error instanceof ApiError) return explainProblem(error);
  if (error instanceof TransportError) return explainTransport(error);
  if (error instanceof CredentialStoreError) return explainCredentialStore(error);
  const message = error instanceof Error ? error.message : String(error);
  return new CliError(
    'unexpected',
    EXIT.failed,
    `Unexpected failure: ${message}. Run it again with --debug for the details.`,
    { cause: error },
  );
}

/** The failure, to be shown as JSON. */
export function inJson(error: unknown): CliError {
  const failure = explain(error);
  failure.json = true;
  return failure;
}

/** The same sentence for what the client notices before sending as for what the server would have answered. */
export function localProblem(code: ProblemCode): CliError {
  const nothingMore = { detail: problems[code].title, origin: DEFAULT_SERVER, retryAfter: null, limit: null };
  return explainProblem(new ApiError({ ...nothingMore, code }));
}

function explainProblem(error: ApiError): CliError {
  const [exitCode, message] = isProblemCode(error.code)
    ? problemSentence(error.code, error)
    : [EXIT.failed, printable(error.message)];
  return new CliError(error.code, exitCode, withRequestId(message, error), { cause: error });
}

/** For the administrator, who finds the request by it in the log. A full quota is nothing to report. */
function withRequestId(message: string, { code, requestId }: ApiError): string {
  const isFault = isProblemCode(code) && problems[code].status >= 500 && code !== 'quota_exceeded';
  return isFault && requestId !== null ? `${message.replace(/\.$/, '')} (request ${requestId}).` : message;
}

function isProblemCode(code: string): code is ProblemCode {
  return Object.hasOwn(problems, code);
}

function problemSentence(code: ProblemCode, error: ApiError): [ExitCode, string] {
  const { origin, retryAfter } = error;
  const later = retryAfter === null ? 'in a while' : `in ${retryAfter} s`;
  switch (code) {
    case 'invalid_json':
    case 'invalid_request':
    case 'method_not_allowed':
    case 'multipart_invalid':
    case 'headers_too_large':
    case 'expectation_failed':
    case 'precondition_failed':
    case 'token_missing':
      return [
        EXIT.failed,
        `${origin} did not understand the request (${error.message}); check that imgup is as new as the server.`,
      ];
    case 'not_found':
      return [EXIT.failed, `${origin} does not know this address; check --server, or update the server.`];
    case 'invalid_grant':
      return [EXIT.session, `Your session at ${origin} has ended; run \`${loginCommand(origin)}\`.`];
    case 'token_invalid':
    case 'token_expired':
    case 'token_revoked':
      return [EXIT.session, `${origin} no longer accepts your session; run \`${loginCommand(origin)}\`.`];
    case 'wrong_credentials':
      return [EXIT.session, 'The name or the password is wrong; try again, or make an account with `imgup register`.'];
    case 'admin_only':
      return [EXIT.failed, `Only an administrator of ${origin} may do this; ask one, or choose with --account.`];
    case 'key_only_uploads':
      return [
        EXIT.session,
        `An upload key only uploads; unset IMGUP_TOKEN for this, and run \`${loginCommand(origin)}\` if you are not logged in.`,
      ];
    case 'too_many_keys':
      return [
        EXIT.failed,
        `You have ${KEYS_MAX} upload keys at ${origin}; end one that is not needed with \`imgup keys revoke\`.`,
      ];
    case 'wrong_password':
      return [EXIT.failed, 'The present password is wrong; nothing was changed. Try again.'];
    case 'last_admin':
      return [EXIT.failed, 'The last administrator cannot be removed; nothing was changed.'];
    case 'registration_closed':
      return [EXIT.failed, `${origin} takes no new accounts; ask its administrator for one.`];
    case 'username_taken':
      return [EXIT.failed, 'This name is taken; choose another, or run `imgup login` if it is yours.'];
    case 'username_invalid':
      return [
        EXIT.usage,
        `A name has ${USERNAME_MIN} to ${USERNAME_MAX} characters out of letters, digits, "_", "-" and "."; choose another.`,
      ];
    case 'key_name_invalid':
      return [EXIT.usage, `The name of a key has 1 to ${KEY_NAME_MAX} characters; choose another.`];
    case 'password_too_short':
      return [EXIT.usage, `The password is too short; use at least ${PASSWORD_MIN_BYTES} bytes.`];
    case 'password_too_long':
      return [
        EXIT.usage,
        `The password is too long; use at most ${PASSWORD_MAX_BYTES} bytes (an accented letter counts two or more).`,
      ];
    case 'password_invalid':
      return [EXIT.usage, 'The password holds characters that are not allowed; choose another.'];
    case 'password_common':
      return [EXIT.usage, 'This password is among the first that others would try; choose another.'];
    case 'image_empty':
      return [EXIT.refused, 'The file is empty; choose a picture.'];
    case 'image_type_unsupported':
    case 'content_type_unsupported':
      return [EXIT.refused, `This is no picture that the server takes; convert it to one of ${IMAGE_TYPE_NAMES}.`];
    case 'image_invalid':
      return [EXIT.refused, detailOr(error, 'The picture cannot be read; export it again and retry.')];
    case 'image_too_many_pixels':
    case 'image_too_large':
    case 'body_too_large':
      return [EXIT.refused, detailOr(error, 'The picture is too large; send a smaller one.')];
    case 'digest_mismatch':
    case 'body_incomplete':
      return [EXIT.failed, 'The picture was damaged on its way, or changed while it was sent; upload it again.'];
    case 'upload_limit_reached':
      return [EXIT.limit, `The upload limit is reached${limitWords(error)}; try again ${later}.`];
    case 'too_many_attempts':
      return [EXIT.failed, `${origin} has seen too many attempts from here; try again ${later}.`];
    case 'request_timeout':
      return [EXIT.unreachable, `${origin} waited too long for the request; check the connection and try again.`];
    case 'internal_error':
      return [EXIT.failed, `${origin} failed; try again, and tell its administrator if that does not help.`];
    case 'server_busy':
    case 'storage_unavailable':
      return [EXIT.failed, `${origin} cannot do this just now; try again ${later}.`];
    case 'quota_exceeded':
      return [EXIT.refused, detailOr(error, `Your storage at ${origin} is full; remove pictures you no longer need.`)];
    case 'storage_full':
      return [EXIT.failed, `${origin} has no room left for pictures; tell its administrator.`];
    default:
      return code satisfies never;
  }
}

/** What the server says where it says it in a sentence, which knows more than ours: the limit, or what is damaged. */
function detailOr({ message }: ApiError, ours: string): string {
  const detail = printable(message).trim();
  return /^\p{Lu}.*\.$/u.test(detail) ? detail : ours;
}

function limitWords({ limit }: ApiError): string {
  if (limit === null) return '';
  const window = limit.windowSeconds === 60 ? 'a minute' : `in ${limit.windowSeconds} s`;
  return ` (${limit.uploads} ${window})`;
}

function explainCredentialStore(error: CredentialStoreError): CliError {
  const code = `${CREDENTIAL_STORE}${error.code.replaceAll('-', '_')}`;
  return new CliError(code, EXIT.failed, error.message, { cause: error });
}

const CREDENTIAL_STORE = 'credential_store_';

/** Whether it is the keychain's, or that of the file in its place. */
export function isOfCredentialStore({ code }: CliError): boolean {
  return code.startsWith(CREDENTIAL_STORE);
}

function explainTransport(error: TransportError): CliError {
  const through = error.proxy === null ? '' : ` through the proxy ${error.proxy}`;
  const cannot = `Cannot reach ${error.origin}${through}: ${error.message}.`;
  const checkProxy =
    'Check the proxy, which http_proxy, https_proxy or all_proxy names, or except the server in no_proxy.';
  const direct = {
    refused: 'Start a server with `imgup serve`, or choose another with --server.',
    unknown_host: 'Check the name of the server and the connection.',
    unreachable: 'Check the connection.',
    timeout: 'Check the connection and try again.',
    cut: 'Try again.',
    certificate: 'Have its certificate renewed, or name the authority that signed it in NODE_EXTRA_CA_CERTS.',
    failed: 'Check --server and the connection.',
  }[error.code];
  const advice = error.proxy !== null && PROXYS_FAULT.has(error.code) ? checkProxy : direct;
  return new CliError('server_unreachable', EXIT.unreachable, `${cannot} ${advice}`, { cause: error });
}

/** What a proxy itself may be the cause of: it was not found, or did not let the request through. */
const PROXYS_FAULT = new Set<TransportErrorCode>(['refused', 'unknown_host', 'unreachable', 'failed']);
