import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { lockDataFolder } from '../adapters/filesystem/data-folder.ts';
import { ID } from './data-files.ts';
import type { Flaw, FlawKind } from './flaw.ts';
import { ifThere } from './if-there.ts';
import { lookAtOwner, type OwnerLook } from './look-at-owner.ts';
import { lookAtRoot, type LookOptions } from './look-at-root.ts';
import { MaintenanceError } from './maintenance-error.ts';
import { createMender, type Mender } from './mender.ts';
import { ownersOf } from './parse-accounts.ts';

export interface CheckOptions {
  /** Mends what can be mended; no server may be running. */
  repair?: boolean;
  /** Whether the accounts are in a database, and none are to be missed here; whose a picture is cannot be told then. */
  accountsElsewhere?: boolean;
  now?: () => number;
  /** Milliseconds until what seems to be wrong is looked at again: longer than a server needs to store a picture. */
  lookAgainAfter?: number;
}

export interface Finding {
  kind: FlawKind;
  /** In the data folder, with "/" on every system. */
  path: string;
  mended: boolean;
}

export interface CheckResult {
  /** Whole pictures, as many as there are afterwards. */
  pictures: number;
  bytes: number;
  users: number;
  findings: Finding[];
  /** The folder that holds what a repair has taken out; null where that is nothing. */
  lostAndFound: string | null;
}

type Totals = Pick<CheckResult, 'pictures' | 'bytes' | 'users'>;

/** A picture may be met twice at work, once while it is stored and once while it is removed, but not three times. */
const LOOKS = 3;

/** What has been mended is looked at again, and may show what it had hidden. */
const MOST_ROUNDS = 4;

/**
 * Reads everything in a data folder, and compares each picture with its record.
 *
 * Without `repair` it changes nothing and may run beside a server: what is amiss then counts only if it still is the next
 * two times, since an upload or a removal under way looks the same. With `repair`, what may be somebody's bytes
 * is never deleted, but moved to `lost+found` in the data folder.
 *
 * @throws StartError `data_in_use`: a repair, while a server runs
 * @throws MaintenanceError `no_data`, `data_newer`
 */
export async function checkData(data: string, options: CheckOptions = {}): Promise<CheckResult> {
  const { repair = false, accountsElsewhere = false, now = Date.now, lookAgainAfter = 5000 } = options;
  await requireData(data);
  if (!repair) {
    const eye = createEye(data, createMender(data, now), { alone: false, accountsElsewhere, now });
    let state = await eye.look();
    let findings = state.flaws;
    for (let looks = 1; looks < LOOKS && findings.length > 0; looks += 1) {
      await delay(lookAgainAfter);
      state = await eye.look();
      const still = new Set(state.flaws.map(keyOf));
      findings = findings.filter((flaw) => still.has(keyOf(flaw)));
    }
    return {
      ...state.totals,
      findings: findings.map(({ kind, path }) => ({ kind, path, mended: false })),
      lostAndFound: null,
    };
  }
  const lock = await lockDataFolder(data);
  try {
    const mender = createMender(data, now);
    const eye = createEye(data, mender, { alone: true, accountsElsewhere, now });
    const found = new Map<string, Flaw>();
    let state = await eye.look();
    for (let round = 1; round < MOST_ROUNDS && state.flaws.some(({ mend }) => mend !== null); round += 1) {
      for (const flaw of state.flaws) {
        found.set(keyOf(flaw), flaw);
        await flaw.mend?.();
      }
      state = await eye.look();
    }
    for (const flaw of state.flaws) found.set(keyOf(flaw), flaw);
    const left = new Set(state.flaws.map(keyOf));
    const findings = [...found].map(([key, { kind, path }]) => ({ kind, path, mended: !left.has(key) }));
    return { ...state.totals, findings, lostAndFound: await mender.lostAndFound() };
  } finally {
    await lock.release();
  }
}

/** Looks at a data folder as often as asked; after the first time only at those owners where something was amiss. */
function createEye(data: string, mender: Mender, options: LookOptions) {
  const looks = new Map<string, OwnerLook>();

  return {
    async look(): Promise<{ totals: Totals; flaws: Flaw[] }> {
      // Before the users: who has a folder by now was a user before.
      const entries = (await ifThere(readdir(join(data, 'images'), { withFileTypes: true }))) ?? [];
      const { accounts, flaws } = await lookAtRoot(data, mender, options);
      const owners = accounts && ownersOf(accounts);
      const removed = (name: string) => accounts?.removals[name] === 'remove';
      const present = new Set(entries.map(({ name }) => name));
      for (const name of looks.keys()) if (!present.has(name)) looks.delete(name);
      for (const entry of entries) {
        const { name } = entry;
        const path = `images/${name}`;
        if (looks.get(name)?.flaws.length === 0) continue;
        const only = (kind: FlawKind, mend: () => Promise<void>) => ({
          pictures: 0,
          bytes: 0,
          flaws: [{ kind, path, mend }],
        });
        if (!entry.isDirectory() || !ID.test(name))
          looks.set(
            name,
            only('stray', () => mender.take([path])),
          );
        // An administrator wanted them gone, and the server was interrupted.
        else if (removed(name))
          looks.set(
            name,
            only('leftover', () => mender.remove(path)),
          );
        else if (owners?.has(name) === false)
          looks.set(
            name,
            only('leftover', () => mender.take([path])),
          );
        else looks.set(name, await lookAtOwner(data, name, mender));
      }
      const totals = { pictures: 0, bytes: 0, users: accounts === null ? 0 : Object.keys(accounts.users).length };
      for (const look of looks.values()) {
        totals.pictures += look.pictures;
        totals.bytes += look.bytes;
        flaws.push(...look.flaws);
      }
      return { totals, flaws };
    },
  };
}

async function requireData(data: string): Promise<void> {
  const names = (await ifThere(readdir(data))) ?? [];
  if (names.some((name) => ['db.json', 'secret', 'images'].includes(name))) return;
  throw new MaintenanceError('no_data', `${data} holds no data of imgup: name the server's data folder with --data.`);
}

function keyOf({ kind, path }: Flaw): string {
  return `${kind} ${path}`;
}
