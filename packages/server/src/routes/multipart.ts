import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { Busboy, type BusboyInstance } from '@fastify/busboy';
import { AppError } from '../errors.ts';

/** A form may have this many parts beside the file (ShareX sends some); more is no upload form. */
const MAX_FIELDS = 20;
const MAX_FIELD_BYTES = 1024;

interface FilePart {
  name: string | null;
  source: AsyncIterable<Uint8Array>;
}

/**
 * Finds the part `file` of a multipart/form-data body (RFC 7578) and hands it on as it arrives; nothing is held.
 *
 * @param contentType the header with its boundary
 * @param body the whole body
 * @param receive takes the part; it must read `source` to its end or reject
 * @returns what `receive` has returned, once the rest of the form has arrived too
 * @throws AppError `multipart_invalid`, and what `receive` and `body` throw
 */
export async function receiveFilePart<T>(
  contentType: string,
  body: AsyncIterable<Uint8Array>,
  receive: (part: FilePart) => Promise<T>,
): Promise<T> {
  let form: BusboyInstance;
  try {
    form = new Busboy({
      headers: { 'content-type': contentType },
      limits: {
        files: 1,
        fields: MAX_FIELDS,
        fieldSize: MAX_FIELD_BYTES,
        parts: MAX_FIELDS + 1,
        headerPairs: 20,
      },
    });
  } catch (error) {
    throw broken('its Content-Type names no boundary', error);
  }

  let received: Promise<T> | undefined;
  let file: Readable | undefined;
  /** The part's bytes; they end only when the whole form has ended well, so that a broken one is never stored. */
  async function* untilFormEnds(part: Readable): AsyncGenerator<Uint8Array> {
    // A reader that stops early has its own reason, which an abort of the part must not get ahead of.
    yield* part.iterator({ destroyOnReturn: false }) as AsyncIterable<Uint8Array>;
    await ended;
  }

  const parsed = new Promise<void>((resolve, reject) => {
    form.on('file', (field, part, name) => {
      file = part;
      // The parser reports a cut form on the file too, where nobody may be listening any more.
      part.on('error', reject);
      if (field !== 'file') {
        reject(broken(`its file is in a part named "${field}", and not "file"`));
        part.resume();
        return;
      }
      received = receive({ name: name ?? null, source: untilFormEnds(part) });
      // A refusal ends the reading of the form at once.
      received.catch(reject);
    });
    form.on('filesLimit', () => {
      reject(broken('it has more than one file'));
    });
    for (const limit of ['partsLimit', 'fieldsLimit'] as const) {
      form.on(limit, () => {
        reject(broken('it has too many parts'));
      });
    }
    form.on('error', (error) => {
      reject(broken('it does not end as its boundary says', error));
    });
    form.on('finish', () => {
      resolve();
    });
  });
  const ended = Promise.all([parsed, feed(form, body, parsed)]);
  try {
    await ended;
  } catch (error) {
    // The file must have been given up before the caller answers, so that nothing is left on the disk by then.
    form.destroy();
    file?.destroy();
    await received?.catch(() => undefined);
    throw error;
  }
  if (received === undefined) throw broken('it has no part named "file"');
  return received;
}

/** Writes the body into the parser as fast as it takes it, until either ends. */
async function feed(form: BusboyInstance, body: AsyncIterable<Uint8Array>, parsed: Promise<void>): Promise<void> {
  for await (const chunk of body) {
    if (form.destroyed) return;
    if (!form.write(chunk)) await Promise.race([once(form, 'drain'), parsed]);
  }
  form.end();
}

function broken(why: string, cause?: unknown): AppError {
  const detail = `The multipart body cannot be used: ${why}. Send one part named "file", as curl -F file=@photo.png does.`;
  return new AppError('multipart_invalid', detail, { cause });
}
