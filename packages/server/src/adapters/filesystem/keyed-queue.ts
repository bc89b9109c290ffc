/** Lets work with the same key happen one after the other, in the order asked for; other keys do not wait. */
export function createKeyedQueue() {
  const last = new Map<string, Promise<unknown>>();

  return function oneAtATime<T>(key: string, work: () => Promise<T>): Promise<T> {
    const done = (last.get(key) ?? Promise.resolve()).then(work, work);
    last.set(key, done);
    const forget = () => {
      if (last.get(key) === done) last.delete(key);
    };
    done.then(forget, forget);
    return done;
  };
}
