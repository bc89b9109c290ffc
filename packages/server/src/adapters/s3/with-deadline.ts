/** In milliseconds, retries included. */
const PATIENCE = 10_000;

/** Bytes a second that a store must at least take. */
const LEAST_RATE = 256 * 1024;

/**
 * Ends work that takes too long. A stream that it returns may go on.
 *
 * @param bytes that are sent by it
 */
export async function withDeadline<T>(bytes: number, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  const time = PATIENCE + (bytes / LEAST_RATE) * 1000;
  const timer = setTimeout(() => {
    controller.abort(new Error(`The store has not answered for ${Math.ceil(time / 1000)} s.`));
  }, time);
  try {
    return await work(controller.signal);
  } finally {
    clearTimeout(timer);
  }
}
