declare module 'fs-native-extensions' {
  /**
   * Asks the kernel for a lock on an open file, or a part of it in bytes; false where another open file holds it.
   * The lock ends with the file descriptor, so also with the process.
   */
  export function tryLock(fd: number, offset?: number, length?: number, options?: { shared?: boolean }): boolean;

  /** Waits, in another thread, until the lock is there. */
  export function waitForLock(fd: number, offset?: number, length?: number): Promise<void>;

  export function unlock(fd: number, offset?: number, length?: number): void;
}
