import { AppError } from '../errors.ts';
import { noMetrics, type Metrics } from '../ports/metrics.ts';

const STORES = ['accounts', 'images', 'incoming', 'cache', 'limiter', 'disk'] as const;

const KINDS = {
  full: ['ENOSPC', 'EDQUOT'],
  descriptors: ['EMFILE', 'ENFILE'],
  timeout: ['ETIMEDOUT', 'TimeoutError', 'AbortError'],
  connection: ['ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH'],
  io: ['EIO', 'EROFS', 'EACCES', 'EPERM', 'ENOENT', 'EBUSY', 'ENODEV', 'ESTALE'],
};

/**
 * Lets stores be watched: what a call of theirs rejects with is counted, and passed on as it is. What a client or
 * a decoder is to blame for (a body that was cut short, say) is no error of a store.
 */
export function createStoreWatch(metrics: Metrics) {
  const count = metrics.counter('imgup_store_errors_total', 'Calls of a store that failed, by the kind of failure.', {
    store: STORES,
    kind: [...Object.keys(KINDS), 'other'],
  });

  return function watchStore<Store extends object>(name: (typeof STORES)[number], store: Store): Store {
    if (metrics === noMetrics) return store;
    const failed = (error: unknown): never => {
      if (!(error instanceof AppError && !error.code.startsWith('storage_')))
        count({ store: name, kind: kindOf(error) });
      throw error;
    };
    return new Proxy(store, {
      get(target, property): unknown {
        const member: unknown = Reflect.get(target, property);
        if (typeof member !== 'function') return member;
        return (...args: unknown[]): unknown => {
          const result: unknown = Reflect.apply(member, target, args);
          return result instanceof Promise ? result.catch(failed) : result;
        };
      },
    });
  };
}

/** By what the system, a driver or an SDK calls it, which may be the cause of what is thrown. */
function kindOf(error: unknown): string {
  for (let each = error; each instanceof Error; each = each.cause) {
    const names = ['code' in each ? String(each.code) : '', each.name];
    const kind = Object.entries(KINDS).find(([, known]) => known.some((name) => names.includes(name)));
    if (kind !== undefined) return kind[0];
  }
  return 'other';
}
