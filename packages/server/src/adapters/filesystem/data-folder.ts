import { open, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { tryLock } from 'fs-native-extensions';
import { StartError } from '../../errors.ts';
import { makeFolder } from './make-folder.ts';

/**
 * Opens the data folder for one server alone; made with mode 0700 where it does not exist.
 *
 * The lock is the kernel's, on an open file: it is gone with the process however that ends, so that a killed
 * server's folder is free at once.
 *
 * @throws StartError `data_in_use`, naming the process that holds it
 */
export async function lockDataFolder(folder: string): Promise<{ release(): Promise<void> }> {
  const path = join(folder, 'server.lock');
  let file: FileHandle;
  try {
    await makeFolder(folder);
    file = await open(path, 'a+', 0o600);
  } catch (error) {
    const message = `The data folder ${folder} cannot be used: ${(error as Error).message}`;
    throw new StartError('data_unreadable', message, { cause: error });
  }
  // The byte that is locked lies beyond the text, because Windows lets nobody read a locked one.
  if (!tryLock(file.fd, 1_000_000, 1)) {
    const holder = await readHolder(file);
    await file.close();
    const message = `The data folder ${folder} is in use by another imgup server${holder}: stop that one, or choose another folder with --data.`;
    throw new StartError('data_in_use', message);
  }
  try {
    await file.truncate(0);
    await file.write(`${process.pid}\n`);
  } catch {
    // It is for a message alone, and a full disk keeps no server from starting.
  }
  return { release: () => file.close() };
}

async function readHolder(file: FileHandle): Promise<string> {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(32), 0, 32, 0);
  const pid = buffer.toString('utf8', 0, bytesRead).trim();
  return /^\d+$/.test(pid) ? ` (process ${pid})` : '';
}
