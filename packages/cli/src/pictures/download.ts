import { createHash } from 'node:crypto';
import contentDisposition from 'content-disposition';
import { readText, transportFailure, type Transport, type TransportResponse } from '../api/transport.ts';
import { CliError, EXIT } from '../errors.ts';
import { printable } from '../printable.ts';

/** A picture on its way from a server, with nobody's token: whoever has the link may have it. */
export interface Download {
  type: string;
  /** What the server calls it, where it does. */
  name: string | null;
  /** Ends with an error where the bytes are not those that the server has announced. */
  chunks: AsyncIterable<Uint8Array>;
}

interface DownloadOptions {
  /** The way to the server of a URL. */
  transport: (origin: string) => Promise<Transport>;
  signal: AbortSignal;
}

/** A server may keep its pictures elsewhere, and say where. */
const REDIRECTS_MAX = 3;

/** Errors: `CliError` where there is no picture, `TransportError`. */
export async function download(url: URL, { transport, signal }: DownloadOptions): Promise<Download> {
  let at = url;
  for (let redirects = 0; ; redirects += 1) {
    const request = { method: 'GET' as const, url: at, headers: { accept: '*/*' }, signal };
    const response = await (await transport(at.origin))(request);
    const { status, headers } = response;
    const location = headers['location'] ?? '';
    if (status >= 300 && status < 400 && URL.canParse(location, at.href) && redirects < REDIRECTS_MAX) {
      await readText(response, request);
      at = new URL(location, at);
      continue;
    }
    const type = headers['content-type'] ?? '';
    if (status !== 200 || !type.startsWith('image/')) {
      await readText(response, request);
      throw noPicture(url, status, type);
    }
    const length = /^\d{1,15}$/.test(headers['content-length'] ?? '') ? Number(headers['content-length']) : null;
    return { type, name: nameIn(headers), chunks: checked(response, request, length) };
  }
}

function noPicture(url: URL, status: number, type: string): CliError {
  const link = printable(url.href);
  if (status === 404 || status === 410) {
    return new CliError('picture_not_found', EXIT.failed, `There is no picture at ${link}; check the link.`);
  }
  if (status >= 500) {
    const message = `${url.origin} cannot give the picture now (HTTP ${status}); try again in a while.`;
    return new CliError('server_unavailable', EXIT.unreachable, message);
  }
  const what = `HTTP ${status}${type === '' ? '' : `, ${printable(type)}`}`;
  return new CliError('no_picture', EXIT.failed, `${link} does not answer with a picture (${what}); check the link.`);
}

async function* checked(
  { headers, body }: TransportResponse,
  request: { url: URL; signal: AbortSignal; method: 'GET'; headers: Record<string, string> },
  length: number | null,
): AsyncGenerator<Uint8Array> {
  const hash = createHash('sha256');
  let bytes = 0;
  try {
    for await (const chunk of body) {
      hash.update(chunk);
      bytes += chunk.length;
      yield chunk;
    }
  } catch (error) {
    throw transportFailure(error, request);
  }
  // An imgup server's tag of a picture as it is stored is its SHA-256.
  const digest = hash.digest('hex');
  const announced = /^"([0-9a-f]{64})"$/.exec(headers['etag'] ?? '')?.[1] ?? digest;
  if (digest === announced && bytes === (length ?? bytes)) return;
  throw new CliError(
    'picture_damaged',
    EXIT.failed,
    `${request.url.origin} sent other bytes than it announced; try again.`,
  );
}

function nameIn(headers: TransportResponse['headers']): string | null {
  try {
    return contentDisposition.parse(headers['content-disposition'] ?? '').parameters['filename'] ?? null;
  } catch {
    return null;
  }
}
