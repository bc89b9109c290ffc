import { chmod, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { ID, isSecretText, placeIn } from './data-files.ts';
import type { Flaw } from './flaw.ts';
import { ifThere } from './if-there.ts';
import type { Mender } from './mender.ts';
import { parseAccounts, type Accounts } from './parse-accounts.ts';
import { readText } from './read-text.ts';
import { STAGING } from './restore-data.ts';

/** No request lasts longer, in milliseconds, so what was written to last before that is being received no more. */
const LONGEST_UPLOAD = 10 * 60 * 1000;

interface RootLook {
  /** Null where db.json is damaged, or there is none. */
  accounts: Accounts | null;
  flaws: Flaw[];
}

export interface LookOptions {
  /** Whether no server can be running. */
  alone: boolean;
  /** Whether there need be no db.json. */
  accountsElsewhere: boolean;
  now: () => number;
}

/** Reads what is not pictures: db.json, the secret, and what was being received. Changes nothing. */
export async function lookAtRoot(data: string, mender: Mender, options: LookOptions): Promise<RootLook> {
  const { alone, accountsElsewhere, now } = options;
  const { accounts, flaws } = await lookAtAccounts(data, mender, accountsElsewhere);
  const secret = await readText(join(data, 'secret'));
  if (secret !== null && !isSecretText(secret)) flaws.push({ kind: 'secret_damaged', path: 'secret', mend: null });
  for (const path of ['secret', 'db.json', 'db.json.previous']) {
    const file = await ifThere(stat(join(data, path)));
    // Windows has no such modes.
    if (file === null || process.platform === 'win32' || (file.mode & 0o077) === 0) continue;
    flaws.push({ kind: 'mode_open', path, mend: () => chmod(join(data, path), 0o600) });
  }
  for (const name of (await ifThere(readdir(join(data, 'incoming')))) ?? []) {
    const path = `incoming/${name}`;
    const file = await ifThere(stat(placeIn(data, path)));
    if (file === null || (!alone && file.mtimeMs > now() - LONGEST_UPLOAD)) continue;
    flaws.push({ kind: 'half_received', path, mend: () => mender.remove(path) });
  }
  // A restore was killed when all else was done.
  if ((await ifThere(stat(join(data, STAGING)))) !== null) {
    flaws.push({ kind: 'stray', path: STAGING, mend: () => mender.take([STAGING]) });
  }
  return { accounts, flaws };
}

async function lookAtAccounts(data: string, mender: Mender, elsewhere: boolean): Promise<RootLook> {
  const path = 'db.json';
  const text = await readText(join(data, path));
  const accounts = text === null ? null : parseAccounts(text);
  if (accounts !== null) return { accounts, flaws: [] };
  const owners = (await ifThere(readdir(join(data, 'images')))) ?? [];
  // A server writes db.json at the first registration.
  if (text === null && (elsewhere || owners.length === 0)) return { accounts: null, flaws: [] };
  const previous = await readText(join(data, 'db.json.previous'));
  const last = previous === null ? null : parseAccounts(previous);
  const mend = async () => {
    await mender.take([path]);
    await mender.replace(path, keepingPicturesOf(owners, last, previous ?? ''));
  };
  const kind = text === null ? 'accounts_missing' : 'accounts_damaged';
  return { accounts: null, flaws: [{ kind, path, mend: last === null ? null : mend }] };
}

/**
 * The copy of db.json before the last change. Who registered with that change is unknown to it; their pictures are noted
 * as to be kept, so that their links go on working.
 */
function keepingPicturesOf(owners: string[], last: Accounts | null, text: string): string {
  const unknown = owners.filter((owner) => ID.test(owner) && last?.users[owner] === undefined);
  const kept = Object.fromEntries(unknown.map((owner) => [owner, 'keep']));
  return JSON.stringify({ ...(JSON.parse(text) as object), removals: { ...kept, ...last?.removals } });
}
