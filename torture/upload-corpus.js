import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bearer, form, raw } from './clients.js';

/** Uploads under way at the same time. */
const AT_ONCE = 8;

/** A folder of pictures good and bad, with a manifest.csv that says what is to be expected of each; null: there is none. */
export function findCorpus() {
  const folder = process.env['IMGUP_CORPUS'] || fileURLToPath(new URL('../../shared/corpus', import.meta.url));
  return existsSync(join(folder, 'manifest.csv')) ? folder : null;
}

/** What the manifest notes of dangerous files that may be admitted all the same. */
const HARMLESS = 'harmless when decoded under limits';

/**
 * Uploads every file of the corpus, raw and as a form, as two users, and compares the answers with what is to be expected.
 *
 * @param {{ folder: string, send: import('./clients.js').Send, tokens: [string, string] }} options
 */
export async function uploadCorpus({ folder, send, tokens }) {
  /** @type {string[]} */
  const faults = [];
  /** Verdicts: what is expected -> status and code -> how many. @type {Map<string, Map<string, number>>} */
  const table = new Map();
  const slowest = { file: '', milliseconds: 0 };
  const manifest = await readCorpusManifest(folder);
  const left = manifest.slice();

  /** @param {CorpusFile} entry */
  async function uploadTwice(entry) {
    const { file, expected } = entry;
    const bytes = await readFile(join(folder, file));
    // The quicker of the two, for a machine that is busy with other things is slow at times.
    let least = Infinity;
    for (const [kind, make, token] of /** @type {const} */ ([
      ['raw', raw, tokens[0]],
      ['a form', form, tokens[1]],
    ])) {
      const init = make(bytes);
      init.headers = { ...init.headers, ...bearer({ accessToken: token }) };
      const began = performance.now();
      const response = await send('/api/images', init);
      const { code = '', detail = '' } = /** @type {{ code?: string, detail?: string }} */ (await response.json());
      least = Math.min(least, Math.round(performance.now() - began));
      const verdict = response.ok ? 'admitted' : `${response.status} ${code}`;
      const row = table.get(expected) ?? new Map();
      table.set(expected, row.set(verdict, (Number(row.get(verdict)) || 0) + 1));
      if (!isAsExpected(entry, { status: response.status, code, detail }))
        faults.push(`${file} (${expected}, sent as ${kind}) was answered ${verdict}: ${detail}`);
    }
    if (least > slowest.milliseconds) Object.assign(slowest, { file, milliseconds: least });
  }

  const worker = async () => {
    for (let entry = left.pop(); entry !== undefined; entry = left.pop()) await uploadTwice(entry);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return { faults, table, slowest, files: manifest.length };
}

/**
 * @param {CorpusFile} file
 * @param {{ status: number, code: string, detail: string }} answer
 */
function isAsExpected({ file, expected, format, note }, { status, code, detail }) {
  const isAdmitted = status < 300;
  const isRefused = [400, 413, 415, 422].includes(status) && code.startsWith('image_');
  if (!isAdmitted && !isRefused) return false;
  if (file.endsWith('.svg') || note.startsWith('SVG')) return status === 415 && detail.includes('SVG');
  switch (expected) {
    case 'valid':
      // AVIF has more features than the decoder knows.
      return isAdmitted || (format === 'avif' && status === 415);
    case 'corrupt':
      return isRefused;
    case 'dangerous':
      return isRefused || note.includes(HARMLESS);
    case 'not an image':
      return status === 415 || code === 'image_empty';
    // What some decoders take and others do not.
    case 'either':
      return true;
    default:
      return false;
  }
}

/** @typedef {{ file: string, expected: string, format: string, note: string }} CorpusFile */

/**
 * @param {string} folder
 * @returns {Promise<CorpusFile[]>}
 */
async function readCorpusManifest(folder) {
  const [head = '', ...lines] = (await readFile(join(folder, 'manifest.csv'), 'utf8')).trim().split('\n');
  const columns = head.split(',');
  return lines.map((line) => {
    // A cell with commas in it is quoted.
    const cells = [...line.matchAll(/(?:"([^"]*)"|([^,]*))(?:,|$)/g)].map(([, quoted, plain]) => quoted ?? plain);
    const cell = (/** @type {string} */ name) => cells[columns.indexOf(name)] ?? '';
    return { file: cell('file'), expected: cell('expected'), format: cell('format'), note: cell('note') };
  });
}
