import { randomUUID } from 'node:crypto';
import { link, readFile, rename, unlink, writeFile } from 'node:fs/promises';
import type { Attempt } from './lock.ts';

/**
 * A lock for where the kernel has none to offer: whoever makes the file holds it, and its text names the holder's process.
 * The file of a process that has ended is taken away by whoever comes next. Weaker than the kernel's: a process id can be
 * used again, or belong to another container.
 */
export function lockByFile(path: string): Attempt {
  const file = `${path}.pid`;
  const own = `${process.pid} ${randomUUID()}`;

  return async () => {
    if (await create(file, own)) return async () => removeIf(file, own);
    const holder = await readFile(file, 'utf8').catch(() => '');
    if (holder !== '' && !isAlive(Number.parseInt(holder, 10))) await removeIf(file, holder);
    return null;
  };
}

/** Linked into place, so that no one ever sees the file without its text. */
async function create(file: string, text: string): Promise<boolean> {
  const draft = `${file}.${randomUUID()}.tmp`;
  await writeFile(draft, text, { flag: 'wx', mode: 0o600 });
  try {
    await link(draft, file);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  } finally {
    await unlink(draft);
  }
}

/** Moved away first and then looked at: a file that another has made in the meantime is put back. */
async function removeIf(file: string, text: string): Promise<void> {
  const moved = `${file}.${randomUUID()}.tmp`;
  try {
    await rename(file, moved);
    if ((await readFile(moved, 'utf8')) !== text) await link(moved, file);
  } catch {
    return; // another process was faster
  }
  await unlink(moved).catch(() => {});
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
