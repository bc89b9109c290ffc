interface Change {
  /** Takes the change back in memory. Called in reverse order of the changes when storing them has failed. */
  undo: () => void;
  stored: () => void;
  failed: (error: unknown) => void;
  /** Resolves when it has been stored or taken back. */
  decided: Promise<unknown>;
}

/** After a failed write the whole state is written anew, in milliseconds, even if nothing else is changed. */
const REWRITE_DELAY = 1000;

/**
 * Lets changes that come while a write is under way share the next one: N writers cost two writes, not N.
 *
 * @param write stores the present state; it must take its picture of that state before its first `await`
 */
export function createGroupCommit(write: () => Promise<void>) {
  let pending: Change[] = [];
  /** What the write under way contains. */
  let batch: Change[] = [];
  let writing: Promise<void> | null = null;
  /** Whether a failed write may have reached the disk in part: it holds what has been taken back in memory. */
  let dirty = false;
  let closed = false;

  async function writeAll(): Promise<void> {
    while (pending.length > 0 || dirty) {
      batch = pending;
      pending = [];
      try {
        await write();
        dirty = false;
        for (const change of batch) change.stored();
      } catch (error) {
        // What came meanwhile may rest on what has just failed (a log-in on a registration), so it fails too.
        const lost = [...batch, ...pending];
        pending = [];
        for (const change of lost.toReversed()) change.undo();
        for (const change of lost) change.failed(error);
        dirty = true;
        setTimeout(() => {
          if (dirty && !closed) writing ??= writeAll();
        }, REWRITE_DELAY).unref();
        break;
      }
    }
    batch = [];
    writing = null;
  }

  return {
    /** Call after changing the state in memory. Resolves once a write that contains the change is durable. */
    commit(undo: () => void): Promise<void> {
      const { promise, resolve: stored, reject: failed } = withResolvers();
      const decided = promise.catch(() => undefined);
      pending.push({ undo, stored, failed, decided });
      writing ??= writeAll();
      return promise;
    },

    /**
     * Resolves when every change made before the call has been stored or taken back. Those that come later are not
     * waited for, or a busy server would never answer.
     */
    async settled(): Promise<void> {
      await (pending.at(-1) ?? batch.at(-1))?.decided;
    },

    /** Stores nothing more once what is under way has been stored, and what was refused is off the disk. */
    async close(): Promise<void> {
      closed = true;
      while (writing !== null) await writing;
      if (dirty) await writeAll();
    },
  };
}

/** `Promise.withResolvers()`, which Node 20 lacks. */
function withResolvers() {
  let resolve = () => undefined as void;
  let reject = (_error: unknown) => undefined as void;
  const promise = new Promise<void>((...both) => {
    [resolve, reject] = both;
  });
  return { promise, resolve, reject };
}
