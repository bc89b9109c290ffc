const STARTS = 3;

/**
 * Starts a program that tests need, and again where it did not come up: on a busy machine its parts do not always find each
 * other, or a port that was free is taken meanwhile.
 *
 * @template T
 * @param {string} name
 * @param {() => Promise<T>} start leaves nothing behind where it rejects
 */
export async function startAnew(name, start) {
  for (let count = 1; ; count += 1) {
    try {
      return await start();
    } catch (error) {
      if (count === STARTS) throw error;
      console.warn(`${name} did not start, and is started anew: ${String(error)}`);
    }
  }
}
