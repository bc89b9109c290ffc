import { open } from 'node:fs/promises';

/** Makes renames, links and removals in a folder durable. Windows cannot open folders, and its file systems log them. */
export async function syncFolder(path: string): Promise<void> {
  if (process.platform === 'win32') return;
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
