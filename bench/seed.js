import { createHash, randomBytes } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

const AT_ONCE = 64;

/**
 * Fills a data folder as that many uploads and registrations would have, without waiting for a disk.
 *
 * @param {string} data a folder that a server has made, with its first user
 * @param {{ pictures: number, users: number, picture: Uint8Array }} amounts
 */
export async function seed(data, { pictures, users, picture }) {
  const path = join(data, 'db.json');
  const db = JSON.parse(await readFile(path, 'utf8'));
  const [owner] = Object.keys(db.users);
  for (let at = 1; at < users; at += 1) {
    const id = randomBytes(8).toString('hex');
    db.users[id] = { ...db.users[owner], id, username: `user-${at}`, role: 'user' };
  }
  await writeFile(path, JSON.stringify(db));

  const home = join(data, 'images', owner);
  await mkdir(join(home, 'by-digest'), { recursive: true });
  const start = Date.now() - pictures * 1000;
  for (let at = 0; at < pictures; at += AT_ONCE) {
    const some = Array.from({ length: Math.min(AT_ONCE, pictures - at) }, (_, index) => at + index);
    await Promise.all(some.map((index) => store(home, owner, start + index * 1000, picture, index)));
  }
}

/** @param {string} home @param {string} owner @param {number} time @param {Uint8Array} picture @param {number} index */
async function store(home, owner, time, picture, index) {
  const id = `${timePart(2 ** 48 - 1 - time)}${randomPart()}`;
  const digest = createHash('sha256').update(`${index}`).digest('hex');
  const record = {
    id,
    owner,
    name: `picture-${index}.png`,
    type: 'image/png',
    extension: 'png',
    bytes: picture.length,
    width: 64,
    height: 48,
    sha256: digest,
    sourceSha256: digest,
    digestKey: digest,
    removed: [],
    createdAt: new Date(time).toISOString(),
    expiresAt: null,
  };
  await writeFile(join(home, `${id}.png`), picture);
  await writeFile(join(home, `${id}.json`), JSON.stringify(record));
  await writeFile(join(home, 'by-digest', digest), id);
}

const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz';

/** @param {number} value */
function timePart(value) {
  let text = '';
  for (let rest = value; text.length < 10; rest = Math.floor(rest / 32)) text = ALPHABET.charAt(rest % 32) + text;
  return text;
}

function randomPart() {
  return Array.from(randomBytes(16), (byte) => ALPHABET.charAt(byte % 32)).join('');
}
