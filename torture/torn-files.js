import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join, relative } from 'node:path';

const EXPECTED = new Set([
  'db.json',
  'db.json.previous',
  'secret',
  'server.lock',
  'images',
  'incoming',
  'cache',
  'expiring',
]);

/**
 * What must not be found in the data folder of a server that has just started: anything half-written, half-removed
 * or left over.
 *
 * @param {string} data
 * @returns {Promise<string[]>} a sentence each
 */
export async function findTornFiles(data) {
  /** @type {string[]} */
  const torn = [];
  const complain = (/** @type {string} */ path, /** @type {string} */ what) => {
    torn.push(`${relative(data, path)} ${what}`);
  };

  for (const name of await readdir(data)) if (!EXPECTED.has(name)) complain(join(data, name), 'is left over');
  for (const name of await readdir(join(data, 'incoming'))) complain(join(data, 'incoming', name), 'is left over');

  const db = parse(await readFile(join(data, 'db.json'), 'utf8').catch(() => '{}'));
  if (db === null) complain(join(data, 'db.json'), 'is no JSON');
  const owners = new Set(Object.keys(db?.users ?? {}));
  for (const [owner, what] of Object.entries(db?.removals ?? {})) if (what === 'keep') owners.add(owner);

  for (const owner of await readdir(join(data, 'images'))) {
    const home = join(data, 'images', owner);
    const files = (await readdir(home, { withFileTypes: true })).filter((entry) => entry.isFile());
    const names = new Set(files.map(({ name }) => name));
    const pointers = new Set(await readdir(join(home, 'by-digest')).catch(() => []));
    if (names.size > 0 && !owners.has(owner)) complain(home, 'belongs to nobody');
    for (const name of names) {
      if (!name.endsWith('.json')) continue;
      const record = parse(await readFile(join(home, name), 'utf8'));
      if (record === null) {
        complain(join(home, name), 'is no JSON');
        continue;
      }
      const { id, extension, sha256, digestKey, bytes } = /** @type {Record<string, string | number>} */ (record);
      const file = `${id}.${extension}`;
      const picture = await readFile(join(home, file)).catch(() => null);
      names.delete(name);
      names.delete(file);
      if (picture === null) complain(join(home, name), 'has no picture');
      else if (picture.length !== bytes || createHash('sha256').update(picture).digest('hex') !== sha256) {
        complain(join(home, file), 'has other bytes than its record says');
      }
      const target = await readFile(join(home, 'by-digest', `${digestKey}`), 'utf8').catch(() => null);
      if (target === null) complain(join(home, name), 'has no digest pointer');
      else if (target !== id) complain(join(home, name), 'has a digest pointer to another picture');
      pointers.delete(`${digestKey}`);
    }
    for (const name of names) complain(join(home, name), 'has no record');
    for (const name of pointers) complain(join(home, 'by-digest', name), 'leads nowhere');
  }
  return torn;
}

/** @param {string} text */
function parse(text) {
  try {
    return /** @type {Record<string, unknown>} */ (JSON.parse(text));
  } catch {
    return null;
  }
}
