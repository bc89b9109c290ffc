import bytes from 'bytes';
import { AppError } from '../errors.ts';
import type { StorageProbe } from '../ports/storage-probe.ts';

interface ReadinessOptions {
  probe: StorageProbe;
  /** Bytes that uploads must leave free. */
  minFree: number;
}

export type Readiness = ReturnType<typeof createReadiness>;

export function createReadiness({ probe, minFree }: ReadinessOptions) {
  return {
    /**
     * Refuses what would eat into the reserve, so that accounts and sessions can still be stored.
     *
     * @param length bytes that are about to be stored; 0 where that is not known
     * @throws AppError `storage_full`
     */
    async checkRoom(length: number): Promise<void> {
      if ((await probe.freeBytes()) - length >= minFree) return;
      const reserve = bytes.format(minFree, { unitSeparator: ' ' }) ?? `${minFree} bytes`;
      throw new AppError(
        'storage_full',
        `The server keeps its last ${reserve} of disk free. Tell its owner, or try later.`,
      );
    },

    /**
     * Whether uploads can be taken now.
     *
     * @throws AppError `storage_full`, or what the storage says
     */
    async check(): Promise<void> {
      await this.checkRoom(0);
      await probe.tryWriting();
    },
  };
}
