/** Lets uploads of one owner at the same time not pass one quota together. */
export function createQuotaReservations() {
  /** Bytes that are being stored, by owner. */
  const reserved = new Map<string, number>();

  return {
    /**
     * Stores so many bytes where they fit.
     *
     * @param stored what the owner has, in bytes
     * @returns false where they do not fit, and nothing was done
     */
    async within(
      { owner, bytes, quota, stored }: { owner: string; bytes: number; quota: number; stored: number },
      work: () => Promise<void>,
    ): Promise<boolean> {
      const held = reserved.get(owner) ?? 0;
      if (stored + held + bytes > quota) return false;
      reserved.set(owner, held + bytes);
      try {
        await work();
        return true;
      } finally {
        const left = (reserved.get(owner) ?? 0) - bytes;
        if (left > 0) reserved.set(owner, left);
        else reserved.delete(owner);
      }
    },
  };
}
