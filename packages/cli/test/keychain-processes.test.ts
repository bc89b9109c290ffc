import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { createServer } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { createKeychainStore } from '../src/credentials/keychain.ts';
import { SERVICE } from '../src/credentials/credential-store.ts';
import { compileCli, type CliProgram } from './cli-process.ts';
import { KEEPASSXC_MISSING, startKeePassXc } from './keepassxc.ts';
import { MISSING, startSecretService, startSessionBus, type SecretService, type SessionBus } from './secret-service.ts';
import { temporaryFolder } from './world.ts';

const probed = await startSecretService();
await probed?.stop();
if (!probed) console.warn(`skipped: ${MISSING}`);
const keepassxc = await startKeePassXc();
await keepassxc?.stop();
if (!keepassxc) console.warn(`skipped: ${KEEPASSXC_MISSING}`);

let program: CliProgram;
beforeAll(async () => {
  program = await compileCli();
});
afterAll(() => program.remove());

/** A server that answers a refresh with new tokens and everything else with 401, as for an access token that has expired. */
async function refreshingServer(): Promise<string> {
  const server = createServer((request, response) => {
    const refreshes = request.url === '/api/token/refresh';
    const tokens = {
      token_type: 'Bearer',
      access_token: 'a.b.d',
      expires_in: 600,
      refresh_token: 'new',
      refresh_expires_in: 9_000,
    };
    const problem = { type: 'urn:x', title: 'x', status: 401, detail: 'x', code: 'token_expired' };
    response.writeHead(refreshes ? 200 : 401, {
      'content-type': refreshes ? 'application/json' : 'application/problem+json',
    });
    response.end(JSON.stringify(refreshes ? tokens : problem));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** ada's machine, on which the keychain was chosen, and has her record where `env` has a keychain that works. */
async function machine({ env }: SessionBus, { stored = true } = {}) {
  const folder = await temporaryFolder();
  const origin = await refreshingServer();
  const config = join(folder, 'config', 'imgup');
  await mkdir(config, { recursive: true });
  await writeFile(
    join(config, 'config.json'),
    JSON.stringify({ server: origin, accounts: { [origin]: 'ada' }, credential_store: 'keychain' }),
  );
  const account = `${origin}|ada`;
  const later = Date.now() + 3_600_000;
  const record = {
    user: 'ada',
    access_token: 'a.b.c',
    access_expires: later,
    refresh_token: 'old',
    refresh_expires: later,
    clock_offset: 0,
  };
  const keychain = createKeychainStore({ env, timeoutMs: 20_000 });
  onTestFinished(() => keychain.close());
  if (stored) await keychain.setPassword(SERVICE, account, JSON.stringify(record));
  return {
    config,
    stored: async () => JSON.parse((await keychain.getPassword(SERVICE, account)) ?? 'null') as typeof record | null,
    /** `busy` is what a command and its child take to start just now, in milliseconds, and what that adds to the limit. */
    async imgup(args: string[], more: NodeJS.ProcessEnv = {}) {
      const start = (typed: string[]) =>
        program.start(typed, { ...env, XDG_CONFIG_HOME: join(folder, 'config'), ...more }).ended;
      const [outcome, idle] = await Promise.all([start(args), start(['--version'])]);
      return { ...outcome, busy: 4 * idle.ms };
    },
  };
}

type Machine = Awaited<ReturnType<typeof machine>>;

async function started<T extends SessionBus>(starting: Promise<T | null>): Promise<T> {
  const service = await starting;
  if (!service) throw new Error(MISSING);
  onTestFinished(() => service.stop());
  return service;
}

/** One sentence within 5 s, with a cause and a way out, and nothing that goes on running. */
async function expectRefusal({ imgup }: Machine, what: string, sentence: RegExp, args = ['whoami']): Promise<void> {
  const { code, stdout, stderr, ms, busy } = await imgup(args);
  if (process.env['IMGUP_TEST_TIMES']) console.log(`${what}: ${ms.toFixed(0)} ms, exit code ${code}: ${stderr.trim()}`);
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
  expect(stderr).toMatch(sentence);
  expect(stderr).toMatch(/^imgup: [^\n]+; [^\n]+IMGUP_CREDENTIAL_STORE=file to keep tokens in a file\.\n$/);
  // Without what a machine that is busy with something else adds of its own.
  expect(ms - busy).toBeLessThan(5_000);
  // A child that was waited for in vain is killed; one that has answered is given two seconds to end by itself.
  await expectNothingRunning(stderr.includes('answered it for') ? 1_000 : 5_000);
}

async function expectNothingRunning(withinMs: number): Promise<void> {
  for (const end = performance.now() + withinMs; performance.now() < end; await delay(50)) {
    if ((await program.running()).length === 0) return;
  }
  expect(await program.running()).toEqual([]);
}

describe.runIf(probed)('imgup without a terminal, where the keychain', { timeout: 60_000 }, () => {
  test('is not there, because there is no bus', async () => {
    const env = { ...process.env, DBUS_SESSION_BUS_ADDRESS: undefined, XDG_RUNTIME_DIR: undefined };
    const person = await machine({ env, stop: async () => undefined }, { stored: false });
    await expectRefusal(person, 'no bus', /there is no D-Bus session here/);
  });

  test('is not there, because nothing on the bus serves one', async () => {
    const person = await machine(await started(startSessionBus()), { stored: false });
    await expectRefusal(person, 'no provider', /No keychain is running.* start gnome-keyring, KWallet or KeePassXC/);
  });

  test('is locked, and its prompt dismissed', async () => {
    const service = await started(startSecretService());
    const person = await machine(service);
    await service.lock();
    await expectRefusal(person, 'locked, prompt dismissed', /is locked and was not unlocked; unlock it/);
  });

  test('is locked, and its prompt answered by nobody', async () => {
    const service = await started(startSecretService({ unansweredPrompt: true }));
    const person = await machine(service);
    await service.lock();
    await expectRefusal(
      person,
      'locked, prompt unanswered',
      /is locked or asks.*no one answered it for \d+\.\d s; unlock it/,
    );
    // Asked several times by one command, it is waited for once.
    await expectRefusal(person, 'locked, --account', /no one answered it/, ['whoami', '--account', 'eve']);
    await expectRefusal(person, 'locked, logout', /no one answered it/, ['logout']);
  });

  test('hangs', async () => {
    const service = await started(startSecretService());
    const person = await machine(service);
    service.hang();
    await expectRefusal(person, 'hangs', /did not answer within \d+\.\d s; restart it/);
  });

  test('refuses to write the tokens of a refresh, which are then not used', async () => {
    const service = await started(startSecretService());
    const person = await machine(service);
    await service.refuseWrites();
    await expectRefusal(person, 'write refused', /refused to store or delete a secret/);
    expect(await person.stored()).toMatchObject({ access_token: 'a.b.c', refresh_token: 'old' });
  });

  test.runIf(keepassxc)('is a KeePassXC that waits for its password', async () => {
    const service = await started<SessionBus>(startKeePassXc({ locked: true }));
    const person = await machine(service, { stored: false });
    await expectRefusal(person, 'KeePassXC locked', /is locked or asks/);
  });

  test('hangs at the first command ever, keeps the tokens in a file and says so once', async () => {
    const service: SecretService = await started(startSecretService());
    const person = await machine(service);
    await writeFile(join(person.config, 'config.json'), '{"accounts":{"http://127.0.0.1:1":"ada"}}');
    service.hang();
    const env = { IMGUP_SERVER: 'http://127.0.0.1:1' };
    const first = await person.imgup(['whoami'], env);
    if (process.env['IMGUP_TEST_TIMES']) {
      console.log(`hangs, first command: ${first.ms.toFixed(0)} ms, exit code ${first.code}: ${first.stderr.trim()}`);
    }
    expect(first).toMatchObject({ code: 4, stderr: expect.stringMatching(/so tokens are kept in a file/) });
    expect(first.ms - first.busy).toBeLessThan(5_000);
    await expectNothingRunning(5_000);
    const second = await person.imgup(['whoami'], env);
    expect(second).toMatchObject({ code: 4, stderr: expect.not.stringContaining('kept in a file') });
    expect(await readFile(join(person.config, 'config.json'), 'utf8')).toContain('"credential_store": "file"');
  });
});
