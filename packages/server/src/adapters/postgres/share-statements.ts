interface Waiting<Result> {
  resolve: (result: Result) => void;
  reject: (error: unknown) => void;
}

/**
 * Lets requests for one key that come while a statement for it is under way share the next one. Of those that wait for
 * one row in the database, each would hold a connection meanwhile, and one eager user would take them all.
 *
 * @param run asks for `count` at once; resolves to as many results, in the order in which they were asked for
 */
export function shareStatements<Result>(run: (key: string, count: number) => Promise<Result[]>) {
  const queues = new Map<string, Waiting<Result>[]>();

  async function work(key: string, batch: Waiting<Result>[]): Promise<void> {
    const next: Waiting<Result>[] = [];
    queues.set(key, next);
    try {
      const results = await run(key, batch.length);
      batch.forEach(({ resolve, reject }, index) => {
        const result = results[index];
        if (result === undefined) reject(new Error('a statement that was shared gave too few results'));
        else resolve(result);
      });
    } catch (error) {
      // Those who wait would only learn the same, and later.
      for (const { reject } of [...batch, ...next.splice(0)]) reject(error);
    }
    if (next.length === 0) queues.delete(key);
    else void work(key, next);
  }

  return (key: string): Promise<Result> =>
    new Promise((resolve, reject) => {
      const queue = queues.get(key);
      if (queue === undefined) void work(key, [{ resolve, reject }]);
      else queue.push({ resolve, reject });
    });
}
