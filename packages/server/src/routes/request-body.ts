import type { Context } from 'hono';
import * as v from 'valibot';
import type { AppEnv } from '../app-env.ts';
import { AppError } from '../errors.ts';

/** No JSON that this API takes is longer. */
const MAX_JSON_BYTES = 16 * 1024;

/** Slower bodies are refused: bytes a second, measured over so many milliseconds. */
const MIN_RATE = 1024;
const PACE_INTERVAL = 10_000;

/**
 * The body as it arrives: node's own request where there is one, because a web stream over it costs half the
 * throughput. A client that waits for "100 Continue" is told to go on only now, when the body is wanted.
 *
 * @throws AppError `body_incomplete` where the client went away half-way, `request_timeout` where it trickles
 */
export async function* requestBody(c: Context<AppEnv>): AsyncGenerator<Uint8Array> {
  const { incoming, outgoing } = c.env ?? {};
  if (incoming === undefined) {
    const { body } = c.req.raw;
    if (body !== null) yield* body;
    return;
  }
  if (incoming.headers.expect !== undefined && outgoing !== undefined && 'writeContinue' in outgoing) {
    outgoing.writeContinue();
  }
  // An iterator that ends early must not destroy the connection that the refusal is to be sent on.
  const chunks = incoming.iterator({ destroyOnReturn: false }) as AsyncIterableIterator<Uint8Array, undefined>;
  const pace = watchPace();
  try {
    for (;;) {
      const step = await pace.watch(chunks.next());
      if (step.done === true) return;
      pace.received(step.value.length);
      yield step.value;
    }
  } catch (error) {
    if (error instanceof AppError) throw error;
    throw new AppError('body_incomplete', 'The body was cut short. Send it again.', { cause: error });
  } finally {
    pace.stop();
    // Not awaited: behind a read that is still waiting for the client, it would wait too.
    chunks.return?.().catch(() => undefined);
  }
}

/** Finds clients that trickle, and so hold resources. */
function watchPace() {
  let bytes = 0;
  /** Ends the wait for the client; undefined while the server itself is busy with what has arrived. */
  let giveUp: ((reason: AppError) => void) | undefined;
  const timer = setInterval(() => {
    if (bytes < (MIN_RATE * PACE_INTERVAL) / 1000) {
      const rate = `${MIN_RATE / 1024} KB a second`;
      giveUp?.(new AppError('request_timeout', `The body arrives at less than ${rate}. Try a better connection.`));
    }
    bytes = 0;
  }, PACE_INTERVAL);
  return {
    /**
     * What the client sends next; rejects once less than the minimum has arrived in an interval. Not with `Promise.race`:
     * a promise that lasts as long as the body would hold every chunk that it has raced with.
     */
    watch<T>(next: Promise<T>): Promise<T> {
      return new Promise<T>((resolve, reject) => {
        giveUp = reject;
        next.then(resolve, reject);
      });
    },
    received(count: number) {
      giveUp = undefined;
      bytes += count;
    },
    stop() {
      clearInterval(timer);
    },
  };
}

/** The length that the client states, in bytes, or null. */
export function contentLength(c: Context): number | null {
  const header = c.req.header('Content-Length');
  return header === undefined ? null : Number(header);
}

/**
 * Reads a JSON body of a known shape. Unknown fields are ignored.
 *
 * @throws AppError `content_type_unsupported`, `body_too_large`, `invalid_json`, `invalid_request`
 */
export async function readJson<T extends v.GenericSchema>(c: Context<AppEnv>, schema: T): Promise<v.InferOutput<T>> {
  const type = c.req.header('Content-Type')?.split(';')[0]?.trim().toLowerCase();
  if (type !== undefined && type !== 'application/json') {
    throw new AppError('content_type_unsupported', 'Send the body as JSON, with "Content-Type: application/json".');
  }
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  const check = (length: number) => {
    if (length > MAX_JSON_BYTES) {
      throw new AppError('body_too_large', `The body may have at most ${MAX_JSON_BYTES} bytes.`);
    }
  };
  check(contentLength(c) ?? 0);
  for await (const chunk of requestBody(c)) {
    bytes += chunk.length;
    check(bytes);
    chunks.push(chunk);
  }
  const parsed = v.safeParse(schema, parseJson(Buffer.concat(chunks)));
  if (parsed.success) return parsed.output;
  const [issue] = parsed.issues;
  const path = v.getDotPath(issue) ?? 'the body';
  throw new AppError('invalid_request', `${path} is not as it should be: ${issue.message}.`);
}

function parseJson(body: Uint8Array): unknown {
  if (body.length === 0) throw new AppError('invalid_json', 'The body is empty. Send a JSON object.');
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body));
  } catch (error) {
    throw new AppError('invalid_json', 'The body is not valid JSON.', { cause: error });
  }
}
