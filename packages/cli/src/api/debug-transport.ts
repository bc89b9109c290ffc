import { BLOT, hideSent, SECRET_MEMBERS } from './hide-sent.ts';
import { readText } from './transport.ts';
import type { Transport, TransportRequest, TransportResponse } from './transport.ts';

/**
 * Reports each exchange line by line, with whatever could be used to act as the person blotted out.
 *
 * @param reportLine is given one line at a time
 */
export function createDebugTransport(transport: Transport, reportLine: (line: string) => void): Transport {
  return async function debugTransport(request) {
    const hide = hideSent(request);
    const report = (line: string) => reportLine(hide(line));
    report(`> ${request.method} ${request.url.href}`);
    reportHeaders('>', request.headers, report);
    if (typeof request.body === 'string') report(`> ${blotted(request.body, hide)}`);
    else if (request.body !== undefined) report(`> (${request.body.length} bytes)`);
    try {
      const response = await transport(request);
      report(`< ${response.status}`);
      reportHeaders('<', response.headers, report);
      return await withBodyReported(response, request, report);
    } catch (error) {
      report(`< (no answer: ${error instanceof Error ? error.message : String(error)})`);
      throw error;
    }
  };
}

const SECRET_HEADERS = new Set(['authorization', 'proxy-authorization', 'cookie', 'set-cookie']);

function reportHeaders(mark: string, headers: Record<string, string>, report: (line: string) => void): void {
  for (const [name, value] of Object.entries(headers)) {
    report(`${mark} ${name}: ${SECRET_HEADERS.has(name.toLowerCase()) ? BLOT : value}`);
  }
}

async function withBodyReported(
  response: TransportResponse,
  request: TransportRequest,
  report: (line: string) => void,
): Promise<TransportResponse> {
  if (response.headers['content-type']?.includes('json') !== true) return response;
  const text = await readText(response, request);
  if (text !== '') report(`< ${blotted(text, hideSent(request))}`);
  return { ...response, body: once(Buffer.from(text)) };
}

async function* once(chunk: Uint8Array): AsyncGenerator<Uint8Array> {
  yield chunk;
}

/** A body that is not JSON is not shown at all: nobody knows what is in it. */
function blotted(text: string, hide: (text: string) => string): string {
  try {
    return JSON.stringify(JSON.parse(text), (name, value: unknown) => {
      if (SECRET_MEMBERS.has(name)) return BLOT;
      return typeof value === 'string' ? hide(value) : value;
    });
  } catch {
    return `(${text.length} characters that are not JSON)`;
  }
}
