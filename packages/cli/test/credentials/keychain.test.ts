import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { CredentialStoreError } from '../../src/credentials/credential-store-error.ts';
import { createKeychainStore, type KeychainStore } from '../../src/credentials/keychain.ts';
import { compileProgram } from './run-program.ts';
import { credentialStoreContract } from '../contracts/credential-store.ts';
import {
  busyTime,
  MISSING,
  startSecretService,
  startSessionBus,
  type SecretService,
  type SessionBus,
} from '../secret-service.ts';

const first = await startSecretService();
if (!first) console.warn(`skipped: ${MISSING}`);

const SERVICE = 'imgup-test';
const ACCOUNT = 'http://localhost:4747|ada';

const cleanUp: (() => unknown)[] = [];
afterEach(async () => {
  for (const each of cleanUp.splice(0).toReversed()) await each();
});

function open(env: NodeJS.ProcessEnv, timeoutMs?: number): KeychainStore {
  const store = createKeychainStore({ env, ...(timeoutMs && { timeoutMs }) });
  cleanUp.push(() => store.close());
  return store;
}

async function started<T extends SessionBus>(starting: Promise<T | null>): Promise<T> {
  const service = await starting;
  if (!service) throw new Error(MISSING);
  cleanUp.push(() => service.stop());
  return service;
}

/** The failure and how long it took, in milliseconds. */
async function failure(work: Promise<unknown>): Promise<{ error: CredentialStoreError; ms: number }> {
  const before = performance.now();
  const error: unknown = await work.then(
    () => null,
    (reason: unknown) => reason,
  );
  if (!(error instanceof CredentialStoreError)) throw new Error(`not a CredentialStoreError: ${String(error)}`);
  return { error, ms: performance.now() - before };
}

/** Dead or a zombie: in a container without an init, nobody collects what has lost its parent. */
async function isGone(pid: number | undefined, withinMs = 5_000): Promise<boolean> {
  const deadline = performance.now() + withinMs;
  while (performance.now() < deadline) {
    const status = await readFile(`/proc/${pid}/stat`, 'latin1').catch(() => null);
    if (status === null || /\) Z /.test(status)) return true;
    await delay(20);
  }
  return false;
}

describe.runIf(first)('keychain store on a Secret Service', () => {
  let service: SecretService;
  beforeAll(() => {
    if (first) service = first;
  });
  afterAll(() => service.stop());

  let shared: KeychainStore;
  beforeAll(() => {
    shared = createKeychainStore({ env: service.env, timeoutMs: 60_000 });
  });
  afterAll(() => shared.close());
  credentialStoreContract(async () => shared);

  it('the probe leaves nothing behind', async () => {
    const store = open(service.env);
    await store.probe('imgup-probed');

    expect(await service.count('imgup-probed')).toBe(0);
    await store.setPassword('imgup-probed', ACCOUNT, 'secret');
    expect(await service.count('imgup-probed')).toBe(1);
  });

  it('requests share one child, and a child that was killed is replaced', async () => {
    const store = open(service.env);
    await store.setPassword(SERVICE, ACCOUNT, 'secret');
    const pid = store.childPid;
    await store.getPassword(SERVICE, ACCOUNT);
    expect(store.childPid).toBe(pid);

    store.close();
    expect(await isGone(pid)).toBe(true);
    expect(await store.getPassword(SERVICE, ACCOUNT)).toBe('secret');
    expect(store.childPid).not.toBe(pid);
  });

  it('a character of several bytes is whole wherever the pipe cuts what is written', async () => {
    const store = open(service.env);
    for (const before of ['', 'x', 'xx']) {
      const secret = before + '€'.repeat(30_000);
      await store.setPassword(SERVICE, ACCOUNT, secret);
      expect((await store.getPassword(SERVICE, ACCOUNT)) === secret).toBe(true);
    }
  });

  it('is asked at once, however few threads the environment grants', async () => {
    const store = open({ ...service.env, UV_THREADPOOL_SIZE: '1' });
    await store.setPassword(SERVICE, ACCOUNT, 'secret');
    expect(await store.getPassword(SERVICE, ACCOUNT)).toBe('secret');
  });

  it("the time that a child takes to start is not the keychain's, and gives it more where it is long", async () => {
    // Far less than a start takes, which is what 4 s are on a machine that starts a hundred processes.
    const store = open(service.env, 1);
    await store.setPassword(SERVICE, ACCOUNT, 'secret');
    expect(await store.getPassword(SERVICE, ACCOUNT)).toBe('secret');
  });

  it('a keychain that is slow is waited for, and not taken for one that hangs', async () => {
    const slow = await started(startSecretService());
    const store = open(slow.env, 15_000);
    await store.setPassword(SERVICE, ACCOUNT, 'secret');
    slow.hang();
    const asked = store.getPassword(SERVICE, ACCOUNT);
    await delay(2_500); // longer than the library itself waits
    slow.resume();
    expect(await asked).toBe('secret');
  });

  it('secrets are in no argument and no environment of the child', async () => {
    const store = open(service.env);
    await store.setPassword(SERVICE, ACCOUNT, 'unmistakable');
    for (const file of ['cmdline', 'environ']) {
      expect(await readFile(`/proc/${store.childPid}/${file}`, 'latin1')).not.toMatch(/unmistakable|ada/);
    }
  });

  it.each(['only warmed up', 'asked and idle'])(
    'a child that was %s does not keep its parent alive, and ends with it',
    async (mode) => {
      const program = await compileProgram(`
        import { createKeychainStore } from './keychain.ts';
        const store = createKeychainStore();
        store.warmUp();
        if (process.argv[2] === 'asked and idle') await store.getPassword('imgup-test', 'nobody');
        console.log(store.childPid);
      `);
      cleanUp.push(() => program.remove());
      const parent = program.start([mode], service.env);
      const child = Number(await text(parent.stdout));
      if (parent.exitCode === null) await once(parent, 'exit');

      expect(parent.exitCode).toBe(0);
      expect(await isGone(child)).toBe(true);
    },
  );
});

describe.runIf(first)('keychain failures without a terminal are answered within 5 s, in one sentence', () => {
  /** Each with the time limit that a command without a terminal has. */
  const expectFailure = async (
    store: KeychainStore,
    work: (store: KeychainStore) => Promise<unknown>,
    code: string,
    sentence: RegExp,
  ): Promise<void> => {
    store.warmUp();
    const pid = store.childPid;
    const [{ error, ms }, busy] = await Promise.all([failure(work(store)), busyTime()]);
    if (process.env['IMGUP_TEST_TIMES']) console.log(`${code}: ${ms.toFixed(0)} ms: ${error.message}`);

    expect(error.code).toBe(code);
    expect(error.message).toMatch(sentence);
    expect(error.message).toMatch(/^[^.]+(\.[^ ][^.]*)*; .*IMGUP_CREDENTIAL_STORE=file to keep tokens in a file\.$/);
    expect(ms - busy).toBeLessThan(5_000);
    store.close();
    expect(await isGone(pid)).toBe(true);
  };

  const verbs: [string, (store: KeychainStore) => Promise<unknown>][] = [
    ['get', (store) => store.getPassword(SERVICE, ACCOUNT)],
    ['get of nothing', (store) => store.getPassword(SERVICE, 'nobody')],
    ['set', (store) => store.setPassword(SERVICE, ACCOUNT, 'new')],
    ['delete', (store) => store.deletePassword(SERVICE, ACCOUNT)],
    ['find', (store) => store.findCredentials(SERVICE)],
    ['find of nothing', (store) => store.findCredentials('imgup-nothing')],
    ['probe', (store) => store.probe(SERVICE)],
  ];

  it('no bus', async () => {
    const env = { ...process.env, DBUS_SESSION_BUS_ADDRESS: undefined, XDG_RUNTIME_DIR: undefined };
    for (const [, work] of verbs) await expectFailure(open(env), work, 'no-bus', /no D-Bus session here/);
  });

  it('a bus that is gone', async () => {
    const env = { ...process.env, DBUS_SESSION_BUS_ADDRESS: 'unix:path=/nonexistent/bus' };
    await expectFailure(open(env), (store) => store.probe(SERVICE), 'no-bus', /no D-Bus session here/);
  });

  it('a bus without a provider', async () => {
    const bus = await started(startSessionBus());
    for (const [, work] of verbs) await expectFailure(open(bus.env), work, 'no-provider', /No keychain is running/);
  });

  it('locked, with a prompt that is dismissed', async () => {
    const service = await started(startSecretService());
    await open(service.env).setPassword(SERVICE, ACCOUNT, 'secret');
    await service.lock();
    for (const [, work] of verbs) await expectFailure(open(service.env), work, 'locked', /locked and was not unlocked/);
  });

  it('locked, with a prompt that nobody answers', async () => {
    const service = await started(startSecretService({ unansweredPrompt: true }));
    await open(service.env).setPassword(SERVICE, ACCOUNT, 'secret');
    await service.lock();
    await Promise.all(
      verbs.map(([, work]) => expectFailure(open(service.env), work, 'locked', /no one answered it for \d+\.\d s/)),
    );
  });

  it('a provider that hangs from the start', async () => {
    const service = await started(startSecretService());
    service.hang();
    await expectFailure(open(service.env), (store) => store.probe(SERVICE), 'timeout', /did not answer within/);
    await expectFailure(
      open(service.env),
      (store) => store.findCredentials(SERVICE),
      'timeout',
      /did not answer within/,
    );
  });

  it('a provider that hangs after it has answered', async () => {
    const service = await started(startSecretService());
    const store = open(service.env);
    await store.setPassword(SERVICE, ACCOUNT, 'secret');
    service.hang();
    await expectFailure(store, (same) => same.getPassword(SERVICE, ACCOUNT), 'timeout', /did not answer within/);
  });

  it('a keychain that was silent once is not waited for again for a while', async () => {
    const service = await started(startSecretService());
    service.hang();
    let now = 0;
    const store = createKeychainStore({ env: service.env, now: () => now });
    cleanUp.push(() => store.close());
    const { error } = await failure(store.getPassword(SERVICE, ACCOUNT));

    const before = store.childPid;
    expect((await failure(store.findCredentials(SERVICE))).error).toBe(error);
    expect(store.childPid).toBe(before);

    service.resume();
    now += 10_000;
    expect(await store.getPassword(SERVICE, ACCOUNT)).toBe(null);
  });

  it('writes that are refused', async () => {
    const service = await started(startSecretService());
    await open(service.env).setPassword(SERVICE, ACCOUNT, 'old');
    await service.refuseWrites();
    const store = open(service.env);
    for (const [, work] of verbs.filter(([name]) => ['set', 'delete', 'probe'].includes(name))) {
      await expectFailure(open(service.env), work, 'write-refused', /refused to store or delete a secret \(.+\)/);
    }
    expect(await store.getPassword(SERVICE, ACCOUNT)).toBe('old');
  });

  it('a child that dies is an error, and the next request starts another', async () => {
    const service = await started(startSecretService({ unansweredPrompt: true }));
    const store = open(service.env);
    await store.setPassword(SERVICE, ACCOUNT, 'secret');
    await service.lock();
    const waiting = failure(store.getPassword(SERVICE, ACCOUNT));
    process.kill(store.childPid ?? 0, 'SIGKILL');

    expect((await waiting).error.code).toBe('unavailable');
    expect((await failure(store.getPassword(SERVICE, ACCOUNT))).error.code).toBe('locked');
  });

  it('a child whose parent was killed while a prompt is open ends too', async () => {
    const service = await started(startSecretService({ unansweredPrompt: true }));
    await open(service.env).setPassword(SERVICE, ACCOUNT, 'secret');
    await service.lock();
    const program = await compileProgram(`
      import { createKeychainStore } from './keychain.ts';
      const store = createKeychainStore({ timeoutMs: 60_000 });
      store.warmUp();
      console.log(store.childPid);
      await store.getPassword(${JSON.stringify(SERVICE)}, ${JSON.stringify(ACCOUNT)});
    `);
    cleanUp.push(() => program.remove());
    const parent = program.start([], service.env);
    const child = Number(String((await once(parent.stdout, 'data'))[0]));
    await delay(300); // until the prompt is open; without it the test would only be easier
    parent.kill('SIGKILL');

    expect(await isGone(child)).toBe(true);
  });
});
