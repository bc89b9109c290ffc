import { constants } from 'node:fs';
import { copyFile, mkdir, open, readdir, rename } from 'node:fs/promises';
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import type { ImageRecord } from '../../ports/image-store.ts';
import type { PictureArchive } from '../../ports/picture-archive.ts';
import { createExpiryCalendar } from './expiry-calendar.ts';
import { syncFolder } from './sync-folder.ts';
import { removeDraft } from './write-draft.ts';
import { writeDurably } from './write-durably.ts';

const ID = /^[0-9a-z]{1,40}$/;

/** The pictures of a data folder one by one. @param data held by nobody else */
export function createFolderArchive(data: string): PictureArchive {
  const folder = join(data, 'images');
  const calendar = createExpiryCalendar(join(data, 'expiring'));
  const recordPath = (owner: string, id: string) => join(folder, owner, `${id}.json`);
  const picturePath = ({ owner, id, extension }: ImageRecord) => join(folder, owner, `${id}.${extension}`);

  async function openPicture(record: ImageRecord) {
    return open(picturePath(record), 'r').catch(ifMissing);
  }

  return {
    place: data,

    async owners() {
      const names = (await readdir(folder).catch(ifMissing)) ?? [];
      return names.filter((name) => ID.test(name)).toSorted();
    },

    async ids(owner) {
      const names = (await readdir(join(folder, owner)).catch(ifMissing)) ?? [];
      const ids = names.filter((name) => name.endsWith('.json')).map((name) => name.slice(0, -'.json'.length));
      return ids.filter((id) => ID.test(id)).toSorted();
    },

    async readRecord(owner, id) {
      const file = await open(recordPath(owner, id), 'r').catch(ifMissing);
      if (file === null) return null;
      try {
        return await file.readFile('utf8');
      } finally {
        await file.close();
      }
    },

    async open(record) {
      const file = await openPicture(record);
      return file && file.createReadStream();
    },

    async withFile(record, work) {
      const file = await openPicture(record);
      await file?.close();
      return work(file && picturePath(record));
    },

    async put(record, text, file, isPointedAt) {
      const { owner, id, digestKey, expiresAt } = record;
      const home = join(folder, owner);
      await mkdir(join(home, 'by-digest'), { recursive: true, mode: 0o700 });
      for (const path of [data, folder, home]) await syncFolder(path);
      if (expiresAt !== null) await calendar.add(owner, id, expiresAt);
      await copyDurably(file, picturePath(record), home);
      if (isPointedAt) await writeDurably(join(home, 'by-digest', digestKey), id);
      await writeDurably(recordPath(owner, id), text);
    },

    close: () => undefined,
  };
}

async function copyDurably(from: string, to: string, home: string): Promise<void> {
  const draft = join(home, `.${randomUUID()}`);
  try {
    await copyFile(from, draft, constants.COPYFILE_FICLONE);
    const copied = await open(draft, 'r+');
    try {
      await copied.chmod(0o600);
      await copied.sync();
    } finally {
      await copied.close();
    }
    await rename(draft, to);
  } catch (error) {
    await removeDraft(draft);
    throw error;
  }
  await syncFolder(home);
}

function ifMissing(error: NodeJS.ErrnoException): null {
  if (error.code === 'ENOENT') return null;
  throw error;
}
