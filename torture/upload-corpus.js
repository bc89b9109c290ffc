import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bearer, form, raw } from './clients.js';

/** Formats of the corpus that are accepted; an APNG is a PNG with more frames. */
const ACCEPTED = new Set(['png', 'apng', 'jpg', 'gif', 'webp', 'avif']);

/** Uploads under way at the same time. */
const AT_ONCE = 8;

/** A folder of pictures good and bad, with a manifest.csv that says what is to be expected of each; null: there is none. */
export function findCorpus() {
  const folder = process.env['IMGUP_CORPUS'] || fileURLToPath(new URL('../../shared/corpus', import.meta.url));
  return existsSync(join(folder, 'manifest.csv')) ? folder : null;
}

/**
 * Uploads every file of the corpus, raw and as a form, as two users.
 *
 * @param {{ folder: string, send: import('./clients.js').Send, tokens: [string, string] }} options
 */
export async function uploadCorpus({ folder, send, tokens }) {
  /** @type {string[]} */
  const faults = [];
  /** Verdicts: what is expected -> status and code -> how many. @type {Map<string, Map<string, number>>} */
  const table = new Map();
  const manifest = await readCorpusManifest(folder);
  const left = manifest.slice();

  /** @param {typeof manifest[number]} entry */
  async function uploadTwice({ file, expected, format }) {
    const bytes = await readFile(join(folder, file));
    for (const [kind, make, token] of /** @type {const} */ ([
      ['raw', raw, tokens[0]],
      ['a form', form, tokens[1]],
    ])) {
      const init = make(bytes);
      init.headers = { ...init.headers, ...bearer({ accessToken: token }) };
      const answer = await send('/api/images', init);
      const body = /** @type {{ code?: string }} */ (await answer.json());
      const verdict = answer.ok ? 'admitted' : `${answer.status} ${body.code}`;
      const row = table.get(expected) ?? new Map();
      table.set(expected, row.set(verdict, (Number(row.get(verdict)) || 0) + 1));
      const what = `${file} (${expected}, sent as ${kind}) was answered ${answer.status} ${body.code ?? ''}`;
      if (answer.status >= 500) faults.push(what);
      // AVIF has more features than the decoder knows.
      const mayBeUnknown = format === 'avif' && (answer.status === 415 || answer.status === 422);
      if (expected === 'valid' && ACCEPTED.has(format) && !answer.ok && !mayBeUnknown) faults.push(what);
      // What is damaged throughout is found by decoding; one GIF is only past what its decoder minds.
      if (expected === 'corrupt' && answer.ok && format !== 'gif') faults.push(what);
      if (expected === 'not an image' && answer.ok) faults.push(what);
    }
  }

  const worker = async () => {
    for (let entry = left.pop(); entry !== undefined; entry = left.pop()) await uploadTwice(entry);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return { faults, table, files: manifest.length };
}

/**
 * @param {string} folder
 */
async function readCorpusManifest(folder) {
  const [head = '', ...lines] = (await readFile(join(folder, 'manifest.csv'), 'utf8')).trim().split('\n');
  const columns = head.split(',');
  return lines.map((line) => {
    // The columns in question stand before those that hold quoted commas.
    const cells = line.split(',');
    const cell = (/** @type {string} */ name) => cells[columns.indexOf(name)] ?? '';
    return { file: cell('file'), expected: cell('expected'), format: cell('format') };
  });
}
