import { randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { access, mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { ImageRecord, ImageStore } from '../../ports/image-store.ts';
import { createKeyedQueue } from './keyed-queue.ts';
import { syncFolder } from './sync-folder.ts';

/** Ids as the server makes them. Anything else never reaches the file system. */
const SAFE_ID = /^[0-9a-z]{1,40}$/;

/**
 * Pictures in a folder, which is the catalogue too:
 *
 *     <folder>/<owner>/<id>.<ext>            the picture
 *     <folder>/<owner>/<id>.json             its record: writing it commits the upload
 *     <folder>/<owner>/by-digest/<sha256>    holds the id
 *
 * They are written in this order, each durable before the next.
 */
export async function openFilesystemImageStore(folder: string): Promise<ImageStore> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  // What is made here, or was made by an interrupted server, lasts before any picture rests on it.
  for (const path of [dirname(folder), folder]) await syncFolder(path);

  // Of two uploads of the same bytes at once, the second finds the first. One server a folder, so a queue in memory does.
  const oneAtATime = createKeyedQueue();

  function recordPath(owner: string, id: string): string {
    return join(folder, owner, `${id}.json`);
  }

  async function head(owner: string, id: string): Promise<ImageRecord | null> {
    if (!SAFE_ID.test(owner) || !SAFE_ID.test(id)) return null;
    const text = await readIfThere(recordPath(owner, id));
    return text === null ? null : (JSON.parse(text) as ImageRecord);
  }

  async function findByDigest(owner: string, sha256: string): Promise<ImageRecord | null> {
    const id = await readIfThere(join(folder, owner, 'by-digest', sha256));
    return id === null ? null : head(owner, id);
  }

  return {
    head,
    findByDigest,

    put(record, file) {
      return oneAtATime(`${record.owner}/${record.sha256}`, async () => {
        const known = await findByDigest(record.owner, record.sha256);
        if (known !== null) {
          await rm(file, { force: true });
          return { record: known, created: false };
        }
        const home = join(folder, record.owner);
        const digests = join(home, 'by-digest');
        const picture = join(home, `${record.id}.${record.extension}`);
        const written = recordPath(record.owner, record.id);
        const pointer = join(digests, record.sha256);
        try {
          // Of two first uploads at once, the second waits until the folders are durable.
          await oneAtATime(record.owner, () => makeFolders(folder, home, digests));
          await rename(file, picture);
          await syncFolder(home);
          await writeDurably(home, written, JSON.stringify(record));
          await writeDurably(digests, pointer, record.id);
          return { record, created: true };
        } catch (error) {
          // In reverse, so that a crash leaves nothing that claims more than there is.
          for (const path of [pointer, written, picture]) await rm(path, { force: true });
          throw error;
        }
      });
    },

    async delete(owner, id) {
      const record = await head(owner, id);
      if (record === null) return false;
      return oneAtATime(`${owner}/${record.sha256}`, async () => {
        const home = join(folder, owner);
        try {
          await rm(join(home, 'by-digest', record.sha256), { force: true });
          await syncFolder(join(home, 'by-digest'));
          await rm(recordPath(owner, id), { force: true });
          await syncFolder(home);
          await rm(join(home, `${id}.${record.extension}`), { force: true });
          await syncFolder(home);
        } catch (error) {
          // All of the owner's pictures are being removed, and the folder was first to go.
          if (!isCode(error, 'ENOENT')) throw error;
        }
        return true;
      });
    },

    async deleteOwner(owner) {
      if (!SAFE_ID.test(owner)) return;
      // Again where an upload that was under way has put something there meanwhile.
      await rm(join(folder, owner), { recursive: true, force: true, maxRetries: 10, retryDelay: 20 });
      // Even where nothing was there: an interrupted server may have removed it and come no further.
      await syncFolder(folder);
    },

    async get(owner, id) {
      const record = await head(owner, id);
      if (record === null) return null;
      const picture = join(folder, owner, `${id}.${record.extension}`);
      return { record, stream: () => createReadStream(picture) };
    },
  };
}

async function makeFolders(folder: string, home: string, digests: string): Promise<void> {
  if (await exists(digests)) return;
  await mkdir(digests, { recursive: true, mode: 0o700 });
  await syncFolder(folder);
  await syncFolder(home);
}

async function writeDurably(folder: string, path: string, text: string): Promise<void> {
  const draft = join(folder, `.${randomUUID()}`);
  try {
    const file = await open(draft, 'wx', 0o600);
    try {
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(draft, path);
  } catch (error) {
    await rm(draft, { force: true });
    throw error;
  }
  await syncFolder(folder);
}

async function readIfThere(path: string): Promise<string | null> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (isCode(error, 'ENOENT')) return null;
    throw error;
  }
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}
