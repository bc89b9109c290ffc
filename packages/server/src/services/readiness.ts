import bytes from 'bytes';
import { AppError } from '../errors.ts';
import type { AccountStore } from '../ports/account-store.ts';
import type { StorageProbe } from '../ports/storage-probe.ts';

interface ReadinessOptions {
  probe: StorageProbe;
  store: Pick<AccountStore, 'check'>;
  /** Finishes what the storage has refused to undo; rejects where it still does. */
  finish: () => Promise<void>;
  /** Bytes that uploads must leave free. */
  minFree: number;
}

/** What the smallest upload takes, with db.json written anew beside the old one. */
const ROOM_FOR_ONE = 64 * 1024;

export type Readiness = ReturnType<typeof createReadiness>;

export function createReadiness({ probe, store, finish, minFree }: ReadinessOptions) {
  /** Bytes of the uploads under way, of which the disk may hold none, some or all by now. */
  let promised = 0;

  /** @param free as of just now: nothing may come between the look, this and what rests on it */
  function refuseBeyond(free: number, length: number): void {
    if (free - promised - length >= minFree) return;
    const reserve = bytes.format(minFree, { unitSeparator: ' ' }) ?? `${minFree} bytes`;
    throw new AppError(
      'storage_full',
      `The server keeps its last ${reserve} of disk free. Tell its owner, or try later.`,
    );
  }

  return {
    /**
     * Refuses an upload that would eat into the reserve, so that accounts and sessions can still be stored.
     *
     * @param length bytes that are about to be stored, at the most
     * @returns gives the room back; to be called when the upload has ended, well or not
     * @throws AppError `storage_full`
     */
    async takeRoom(length: number): Promise<() => void> {
      refuseBeyond(await probe.freeBytes(), length);
      promised += length;
      return () => {
        promised -= length;
      };
    },

    /**
     * Whether uploads can be taken now, and all that was refused is off the disk.
     *
     * @throws AppError `storage_full`, `storage_unavailable`, or what the storage says
     */
    async check(): Promise<void> {
      refuseBeyond(await probe.freeBytes(), ROOM_FOR_ONE);
      await Promise.all([probe.tryWriting(), store.check()]);
      await finish();
    },
  };
}
