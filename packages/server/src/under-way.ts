/** Work that the data folder must not be given up before: another server would take what it writes for leftovers. */
export function createUnderWay() {
  const all = new Set<Promise<unknown>>();
  return {
    /** Notes the work until it has ended, even where nobody waits for it any more. */
    add<T>(work: Promise<T>): Promise<T> {
      all.add(work);
      return work.finally(() => all.delete(work));
    },

    async ended(): Promise<void> {
      while (all.size > 0) await Promise.allSettled(all);
    },
  };
}
