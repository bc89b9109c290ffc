import { join } from 'node:path';
import { readConfig, startServer } from '@imgup/server';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import type { SessionRecord } from '../src/api/session-record.ts';
import { createKeychainStore } from '../src/credentials/keychain.ts';
import { SERVICE } from '../src/credentials/credential-store.ts';
import { compileCli, type CliProgram } from './cli-process.ts';
import { openGate } from './gate.ts';
import { MISSING, startSecretService } from './secret-service.ts';
import { PASSWORD, temporaryFolder, writePicture } from './world.ts';

/** `npm run torture:sessions` asks for more of both. */
const PROCESSES = Number(process.env['IMGUP_TEST_CROWD'] ?? 12);
const ROUNDS = Number(process.env['IMGUP_TEST_ROUNDS'] ?? 1);

const probed = await startSecretService();
await probed?.stop();
if (!probed) console.warn(`skipped: ${MISSING}`);

let program: CliProgram;
beforeAll(async () => {
  program = await compileCli();
});
afterAll(() => program.remove());

/** ada, logged in with her tokens in a real gnome-keyring, at a real server. */
async function open() {
  const service = await startSecretService();
  if (!service) throw new Error(MISSING);
  onTestFinished(() => service.stop());
  const folder = await temporaryFolder();
  const flags = { port: '0', data: join(folder, 'data'), 'min-free': '0', 'upload-limit': '100000/1s' };
  const server = await startServer({ ...readConfig({ flags, env: {} }), passwordCost: 4 });
  onTestFinished(() => server.close());
  const gate = await openGate(server.url);
  const env = {
    ...service.env,
    XDG_CONFIG_HOME: join(folder, 'config'),
    IMGUP_CREDENTIAL_STORE: 'keychain',
    IMGUP_SERVER: gate.origin,
    IMGUP_TOKEN: undefined,
  };
  const imgup = (args: string[], stdin = '') => program.start(args, env, { stdin }).ended;
  expect(await imgup(['register', '--username', 'ada', '--password-stdin'], `${PASSWORD}\n`)).toMatchObject({
    code: 0,
  });

  const keychain = createKeychainStore({ env, timeoutMs: 60_000 });
  onTestFinished(() => keychain.close());
  const account = `${gate.origin}|ada`;
  return {
    folder,
    imgup,
    refreshes: () => gate.count('POST /api/token/refresh'),
    async expire(): Promise<void> {
      const record = JSON.parse((await keychain.getPassword(SERVICE, account)) ?? '') as SessionRecord;
      await keychain.setPassword(SERVICE, account, JSON.stringify({ ...record, access_expires: 0 }));
    },
  };
}

describe.runIf(probed)(`${PROCESSES} processes at once, whose access token in the keychain has expired,`, () => {
  test('all upload after one refresh, however long the keychain has them queue', { timeout: 600_000 }, async () => {
    const { folder, imgup, refreshes, expire } = await open();
    const failures: string[] = [];
    for (let round = 1; round <= ROUNDS; round += 1) {
      const pictures = Array.from({ length: PROCESSES }, (_, each) =>
        writePicture(join(folder, `${each}.png`), round * PROCESSES + each),
      );
      const paths = await Promise.all(pictures);
      await expire();
      const before = refreshes();
      const startedAt = performance.now();
      const outcomes = await Promise.all(paths.map((path) => imgup(['upload', '--no-wait', path])));
      const failed = outcomes.filter(({ code }) => code !== 0).map(({ code, stderr }) => `${code}: ${stderr.trim()}`);
      failures.push(...failed);
      if (process.env['IMGUP_TEST_TIMES']) {
        const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
        const [done, refreshed] = [PROCESSES - failed.length, refreshes() - before];
        console.log(`round ${round}: ${done} of ${PROCESSES} uploaded, ${refreshed} refreshes, ${seconds} s`);
      }
      expect(refreshes() - before).toBe(1);
    }
    expect(failures).toEqual([]);
    expect(await imgup(['whoami'])).toMatchObject({ code: 0 });
  });
});
