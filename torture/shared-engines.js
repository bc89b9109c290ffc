import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { startPostgres, whyNoPostgres } from '../packages/server/test/postgres-server.js';
import { hasRadosgw, MISSING_RADOSGW, S3_CREDENTIALS, startRadosgw } from '../scripts/radosgw.js';
import { undoIfInterrupted } from './interruption.js';
import { startServerProcess } from './server-process.js';

/** @typedef {Awaited<ReturnType<typeof startEngines>>} Engines */

/** Why several servers cannot be tried here; null where they can. */
export async function whyNoEngines() {
  return hasRadosgw() ? whyNoPostgres() : MISSING_RADOSGW;
}

/**
 * A PostgreSQL and an S3 engine, and servers that share them.
 *
 * @param {string} folder
 */
export async function startEngines(folder) {
  const postgres = await startPostgres();
  // On the disk: what is in memory is gone with the engine that is killed.
  const s3 = await startRadosgw({ store: 'bluestore' }).catch(async (error) => {
    await postgres.stop();
    throw error;
  });
  const secret = randomBytes(32).toString('hex');
  const flags = { accounts: postgres.url, images: s3.url() };
  let started = 0;
  const stop = async () => {
    await s3.stop();
    await postgres.stop();
  };
  const undone = undoIfInterrupted(() => {
    for (const pid of [...postgres.pids(), ...s3.pids()]) process.kill(pid, 'SIGKILL');
  });

  return {
    postgres,
    s3,

    /** Another server, with a folder of its own for what it receives. @param {object} [settings] */
    startServer(settings = {}) {
      started += 1;
      const data = join(folder, `server-${started}`);
      return startServerProcess(data, { settings: { flags, secret, ...settings }, env: S3_CREDENTIALS });
    },

    async stop() {
      undone();
      await stop();
    },
  };
}
