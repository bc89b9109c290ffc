/**
 * The process that talks to the OS keychain: one JSON request a line on stdin, one JSON answer a line on stdout.
 *
 * It exists because a keychain that waits for a person cannot be cancelled from inside the process that asked; a
 * process can be killed. It is plain JavaScript because it is started by path, and Node 20 cannot run TypeScript.
 * Secrets come and go by pipe: arguments and environment can be read by other programs of this user.
 *
 * A command waits for its start, so it is CommonJS, and loads what it needs when it needs it.
 */
const { read, writeSync } = require('node:fs');

/**
 * @typedef {object} Request
 * @property {number} id
 * @property {'get' | 'set' | 'delete' | 'find' | 'probe'} op
 * @property {string} service
 * @property {string} [account]
 * @property {string} [password]
 */

/** The library's default for Linux falls back without a word to the kernel's keyring, which forgets at reboot. */
const OPTIONS = /** @type {const} */ ({ linux: { store: 'secret-service' } });

/** Each probe has a name of its own, so that processes which probe at once do not delete each other's entry. */
const PROBE_PREFIX = 'probe|';

/** What a parent that has gone away leaves behind must end too, even while it waits for a person. */
const GRACE_MS = 2_000;

const library = load();
// The parent's limits begin here: on a busy machine the start alone can take seconds.
answer({ ready: true });

let queue = Promise.resolve();
let received = '';
const chunk = Buffer.alloc(64 * 1024);
const decoder = new TextDecoder();
void listen();

/** A failure is reported by the request that needs it. @returns {() => typeof import('@napi-rs/keyring')} */
function load() {
  try {
    const loaded = require('@napi-rs/keyring');
    return () => loaded;
  } catch (error) {
    return () => {
      throw error;
    };
  }
}

async function listen() {
  for (let bytes = await more(); bytes > 0; bytes = await more()) {
    const lines = (received + decoder.decode(chunk.subarray(0, bytes), { stream: true })).split('\n');
    received = lines.pop() ?? '';
    for (const line of lines) {
      const request = /** @type {Request} */ (JSON.parse(line));
      queue = queue.then(() => serve(request));
    }
  }
  // A write that is under way may finish; process.exit() would wait for a prompt that nobody answers.
  setTimeout(() => process.kill(process.pid, 'SIGKILL'), GRACE_MS).unref();
}

/**
 * How many bytes of stdin there are in `chunk` now; 0 at the end. `process.stdin` and node:readline would take as long to load as
 * the library.
 *
 * @returns {Promise<number>}
 */
function more() {
  return new Promise((resolve) => {
    read(0, chunk, 0, chunk.length, null, (error, bytes) => resolve(error === null ? bytes : 0));
  });
}

/**
 * The library waits for 2 s, but KeePassXC answers only when its person has unlocked it, and any provider that a crowd
 * asks at once may take longer. So it is asked again, and the parent sets the limit.
 *
 * @param {Request} request
 */
async function serve(request) {
  const { id } = request;
  for (;;) {
    try {
      return answer({ id, value: await perform(request) });
    } catch (error) {
      const text = error instanceof Error ? error.message : String(error);
      if (!text.includes('Did not receive a reply')) return answer({ id, error: text });
      answer({ id, opened: false });
    }
  }
}

/**
 * @param {Request} request
 * @returns {Promise<unknown>}
 */
async function perform({ id, op, service, account = '', password = '' }) {
  const { AsyncEntry, findCredentialsAsync } = library();
  /** @param {string} name */
  const open = (name) => {
    const entry = new AsyncEntry(service, name, OPTIONS);
    // From here on the provider is known to answer, so a long wait is one for a person.
    answer({ id, opened: true });
    return entry;
  };

  /**
   * KeePassXC can be set to answer "nothing found" while it is locked, so an empty answer is believed only of a keychain
   * that can be written. macOS and Windows say when they are locked.
   */
  const confirmEmpty = async () => {
    if (process.platform === 'linux') await probe();
  };

  const probe = async () => {
    const { randomUUID } = require('node:crypto');
    const entry = open(PROBE_PREFIX + randomUUID());
    const value = randomUUID();
    await entry.setPassword(value);
    const found = await entry.getPassword();
    await entry.deletePassword();
    if (found !== value) throw new Error('imgup: a probe entry did not read back as written');
  };

  switch (op) {
    case 'get': {
      const entry = open(account);
      const found = (await entry.getPassword()) ?? null;
      if (found !== null) return found;
      await confirmEmpty();
      return (await entry.getPassword()) ?? null;
    }
    case 'set': {
      const entry = open(account);
      await entry.setPassword(password);
      if ((await entry.getPassword()) !== password) throw new Error('imgup: the secret did not read back as written');
      return null;
    }
    case 'delete': {
      const entry = open(account);
      if (await entry.deletePassword()) return true;
      await confirmEmpty();
      return entry.deletePassword();
    }
    case 'find': {
      // The search comes from another D-Bus library, which has no time limit and other words for each failure.
      open(PROBE_PREFIX);
      const entries = await find();
      // The search matches more than our entries: by the end of the name on Windows, by any program's attributes on Linux.
      const accounts = new Set(entries.map((entry) => entry.account).filter((name) => !name.startsWith(PROBE_PREFIX)));
      const found = [];
      for (const name of accounts) {
        const secret = await open(name).getPassword();
        if (typeof secret === 'string') found.push({ account: name, password: secret });
      }
      return found;
    }
    case 'probe':
      return probe();
  }

  async function find() {
    try {
      const entries = await findCredentialsAsync(service);
      if (entries.length > 0) return entries;
    } catch (error) {
      // The search refuses a locked keychain without asking for its password; the probe asks.
      if (!/locked/i.test(String(error))) throw error;
    }
    await confirmEmpty();
    return findCredentialsAsync(service);
  }
}

/** @param {object} message */
function answer(message) {
  try {
    writeSync(1, `${JSON.stringify(message)}\n`);
  } catch {
    process.kill(process.pid, 'SIGKILL'); // nobody is left to answer to
  }
}
