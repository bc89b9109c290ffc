/**
 * One HTTP exchange, as small as the client needs it. It is not `fetch`, because the first touch of the global fetch
 * costs a command more time than its whole work does.
 */
export type Transport = (request: TransportRequest) => Promise<TransportResponse>;

export interface TransportRequest {
  method: 'GET' | 'HEAD' | 'POST' | 'DELETE';
  url: URL;
  /** Names in lower case. `content-length` and `expect` are the transport's own. */
  headers: Record<string, string>;
  body?: string | StreamBody;
  /** Ends the exchange. What its `reason` holds is thrown, except that a `TimeoutError` becomes a `TransportError`. */
  signal?: AbortSignal | undefined;
}

/** A body that can be asked for again, for when the request must be repeated with another token. */
export interface StreamBody {
  /** In bytes. */
  length: number;
  stream(): AsyncIterable<Uint8Array>;
}

/** What a server answered. A redirect is an answer like any other: no transport follows one. */
export interface TransportResponse {
  status: number;
  /** Names in lower case. */
  headers: Record<string, string>;
  /** To be read to its end, or the connection stays taken. */
  body: AsyncIterable<Uint8Array>;
}

export type TransportErrorCode =
  | 'refused'
  | 'unknown_host'
  | 'unreachable'
  | 'timeout'
  | 'cut'
  | 'certificate'
  | 'failed';

/** No answer came. The message is a clause such as "connection refused". */
export class TransportError extends Error {
  override readonly name = 'TransportError';
  readonly code: TransportErrorCode;
  readonly origin: string;
  /** The proxy that the request went through, without its name and password; null: none. */
  readonly proxy: string | null;

  constructor(
    code: TransportErrorCode,
    origin: string,
    message: string,
    options: ErrorOptions & { proxy?: string | null } = {},
  ) {
    super(message, options);
    this.code = code;
    this.origin = origin;
    this.proxy = options.proxy ?? null;
  }
}

export const CONNECT_TIMEOUT_MS = 10_000;
export const IDLE_TIMEOUT_MS = 60_000;

/** What to throw for a failed exchange: the reason of an abort, or the system's error as a `TransportError`. */
export function transportFailure(
  error: unknown,
  request: TransportRequest,
  { proxy = null }: { proxy?: string | null } = {},
): unknown {
  const { signal, url } = request;
  if (error instanceof TransportError) return error;
  if (signal?.aborted === true) {
    return isTimeout(signal.reason)
      ? new TransportError('timeout', url.origin, 'no answer in time', { cause: error, proxy })
      : signal.reason;
  }
  const [code, message] = classify(error);
  return new TransportError(code, url.origin, message, { cause: error, proxy });
}

/** Reads a whole body as text. Throws a `TransportError` beyond `maxBytes`, so that no server can fill the memory. */
export async function readText(
  response: TransportResponse,
  request: TransportRequest,
  maxBytes = 16 * 1024 * 1024,
): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  try {
    for await (const chunk of response.body) {
      bytes += chunk.length;
      if (bytes > maxBytes) throw new TransportError('failed', request.url.origin, 'the answer is too long');
      chunks.push(chunk);
    }
  } catch (error) {
    throw transportFailure(error, request);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function isTimeout(reason: unknown): boolean {
  return reason instanceof Error && reason.name === 'TimeoutError';
}

/** OpenSSL's and Node's names for a certificate that does not check out. */
const CERTIFICATE = /CERT|SELF_SIGNED|UNABLE_TO_VERIFY|ERR_TLS|ERR_SSL|EPROTO/;

function classify(error: unknown): [TransportErrorCode, string] {
  const { code, message } = rootCause(error);
  switch (code) {
    case 'ECONNREFUSED':
      return ['refused', 'connection refused'];
    case 'ENOTFOUND':
      return ['unknown_host', 'no host has this name'];
    case 'EAI_AGAIN':
      return ['unknown_host', 'the name cannot be looked up'];
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
    case 'ENETDOWN':
      return ['unreachable', 'there is no way to it'];
    case 'ETIMEDOUT':
    case 'UND_ERR_CONNECT_TIMEOUT':
    case 'UND_ERR_HEADERS_TIMEOUT':
    case 'UND_ERR_BODY_TIMEOUT':
      return ['timeout', 'no answer in time'];
    case 'ECONNRESET':
    case 'EPIPE':
    case 'ECONNABORTED':
    case 'UND_ERR_SOCKET':
      return ['cut', 'the connection was cut'];
    default:
      if (CERTIFICATE.test(code)) return ['certificate', `its certificate is not trusted (${message})`];
      return ['failed', message];
  }
}

function rootCause(error: unknown): { code: string; message: string } {
  if (!(error instanceof Error)) return { code: '', message: String(error) };
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  if (code.startsWith('UND_ERR') || code === '') {
    const deeper = error.cause instanceof Error ? rootCause(error.cause) : null;
    if (deeper !== null && deeper.code !== '') return deeper;
  }
  return { code, message: error.message };
}
