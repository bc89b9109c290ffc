import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { diskFull, MAKE_ROOM } from '../disk-full.ts';
import { CredentialStoreError } from './credential-store-error.ts';
import { lockByFile } from './lock-by-file.ts';
import { privateFolder } from './private-folder.ts';

export interface LockOptions {
  /** How long to wait for a holder, in milliseconds, before the work is done without the lock. */
  timeoutMs: number;
  /** Where the kernel's locks come from; null where there are none. Only tests give another. */
  loadKernelLocks?: () => Promise<KernelLocks | null>;
}

export interface KernelLocks {
  tryLock(fd: number): boolean;
  unlock(fd: number): void;
}

export type Release = () => Promise<void>;

/** One attempt at the lock: how to release it, or null while another holds it. */
export type Attempt = () => Promise<Release | null>;

/**
 * Does the work while no other process on this machine does work under the same path.
 *
 * The lock is the kernel's, so it is free the instant its holder dies, SIGKILL included. A holder that is alive but stuck
 * for longer than the limit (stopped, say, or on a dead network drive) is stepped over: the work is then done all the
 * same, with `held: false`, since a lock must never be what keeps a person from their pictures.
 *
 * Where the kernel's locks cannot be had (musl and rare processors, for which there is no binary; file systems without
 * locks) a file made with O_EXCL takes their place, whose holder is taken for dead when its process is.
 *
 * Errors: what the work throws, and `CredentialStoreError` where no lock can be made.
 *
 * ```ts
 * await withLock(join(directory, 'refresh.lock'), { timeoutMs: 15_000 }, async ({ held }) => refresh());
 * ```
 */
export async function withLock<T>(
  path: string,
  { timeoutMs, loadKernelLocks = loadNative }: LockOptions,
  work: (lock: { held: boolean }) => Promise<T>,
): Promise<T> {
  const release = await prepare(path, timeoutMs, await loadKernelLocks());
  try {
    return await work({ held: release !== null });
  } finally {
    await release?.();
  }
}

async function prepare(path: string, timeoutMs: number, kernel: KernelLocks | null): Promise<Release | null> {
  try {
    await privateFolder(dirname(path), { create: true });
    return await acquire(path, timeoutMs, kernel);
  } catch (error) {
    const full = diskFull(error);
    if (full !== null) {
      const reason = `The disk has no room in the folder ${dirname(path)} (${full})`;
      throw new CredentialStoreError('not-writable', reason, MAKE_ROOM, { cause: error });
    }
    const { code } = error as NodeJS.ErrnoException;
    if (code === undefined || !NOT_WRITABLE.has(code)) throw error;
    throw new CredentialStoreError(
      'not-writable',
      `The folder ${dirname(path)} cannot be made or written to (${code})`,
      'change its permissions, or name a folder of yours in XDG_CONFIG_HOME',
      { cause: error },
    );
  }
}

const NOT_WRITABLE = new Set(['EACCES', 'EPERM', 'EROFS', 'ENOTDIR']);

async function acquire(path: string, timeoutMs: number, kernel: KernelLocks | null): Promise<Release | null> {
  const deadline = performance.now() + timeoutMs;
  if (!kernel) return poll(lockByFile(path), deadline);

  // Left in place for good: deleting a lock file while others wait on it lets two of them in.
  const file = await open(path, constants.O_RDWR | constants.O_CREAT | (constants.O_NOFOLLOW ?? 0), 0o600);
  const release = async (): Promise<void> => {
    kernel.unlock(file.fd);
    await file.close();
  };
  try {
    const held = await poll(async () => (kernel.tryLock(file.fd) ? release : null), deadline);
    if (!held) await file.close();
    return held;
  } catch {
    await file.close(); // ENOLCK, ENOTSUP: this file system has no locks
    return poll(lockByFile(path), deadline);
  }
}

/** Jittered, so that a crowd that was woken together does not keep colliding. */
async function poll(attempt: Attempt, deadline: number): Promise<Release | null> {
  for (;;) {
    const release = await attempt();
    if (release) return release;
    const left = deadline - performance.now();
    if (left <= 0) return null;
    await delay(Math.min(left, 5 + Math.random() * 20));
  }
}

/** Only on first need: loading a native module is the dearest part of taking a lock. */
async function loadNative(): Promise<KernelLocks | null> {
  try {
    return await import('fs-native-extensions');
  } catch {
    return null;
  }
}
