/** How long the store may take for a request, its retries included, in milliseconds. */
const PATIENCE = 10_000;

/** Bytes a second that it must at least take. */
const LEAST_RATE = 256 * 1024;

/** For a request that sends so many bytes. */
export function patienceFor(bytes: number): number {
  return PATIENCE + (bytes / LEAST_RATE) * 1000;
}

/** Ends work that takes longer, in milliseconds. A stream that it returns may go on. */
export async function withDeadline<T>(time: number, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  const timer = setTimeout(() => {
    controller.abort(new Error(`The store has not answered for ${Math.ceil(time / 1000)} s.`));
  }, time);
  try {
    return await work(controller.signal);
  } finally {
    clearTimeout(timer);
  }
}
