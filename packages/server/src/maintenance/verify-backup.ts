import type { ImageRecord } from '../ports/image-store.ts';
import { parseBackupPath, type BackupFile } from './backup-file.ts';
import { isSecretText } from './data-files.ts';
import { BACKUP_FORMAT, createInventory, parseManifest, type Manifest } from './inventory.ts';
import { MaintenanceError } from './maintenance-error.ts';
import { ownersOf, parseAccounts } from './parse-accounts.ts';
import { parseRecord } from './parse-record.ts';

export interface BackupSummary {
  pictures: number;
  bytes: number;
  users: number;
  /** Whether the secret is in it. Without it every session ends when the backup is restored. */
  secret: boolean;
}

/** No record, pointer or secret is larger, in bytes. */
const SMALL = 64 * 1024;
const LARGE = 512 * 1024 * 1024;

/** What an owner has of which something is still to come. */
interface Owner {
  name: string;
  /** Of the pictures so far: id -> digest key. */
  digests: Map<string, string>;
  /** Digest keys without a pointer so far. */
  unpointed: Set<string>;
}

/**
 * Reads a backup from its first byte to its last: nothing is missing or unknown, every picture has the digest that its
 * record says, and all is as it was when it was written.
 *
 * @param files in the order in which a backup is written
 * @throws MaintenanceError `backup_invalid`, `data_newer`
 */
export async function verifyBackup(name: string, files: AsyncIterable<BackupFile>): Promise<BackupSummary> {
  const inventory = createInventory();
  const summary: BackupSummary = { pictures: 0, bytes: 0, users: 0, secret: false };
  let hasAccounts = false;
  let owners: ReadonlySet<string> = new Set();
  let owner: Owner = { name: '', digests: new Map(), unpointed: new Set() };
  /** Whose picture is to come next. */
  let record: ImageRecord | null = null;
  let manifest: Manifest | null = null;

  const invalid = (what: string) => new MaintenanceError('backup_invalid', `${name} is no whole backup: ${what}.`);

  for await (const file of files) {
    const { path } = file;
    const part = parseBackupPath(path);
    if (part === null) throw invalid(`it holds ${path}, which is no part of one`);
    if (manifest !== null) throw invalid(`${path} comes after its end`);
    if (record !== null && part.kind !== 'picture') throw invalid(`the picture ${record.id} is missing`);
    if ('owner' in part && part.owner !== owner.name) {
      finishOwner();
      if (!owners.has(part.owner)) throw invalid(`${path} belongs to nobody`);
      owner = { name: part.owner, digests: new Map(), unpointed: new Set() };
    }
    const text = (limit = SMALL) => readText(inventory.pass(file), limit, () => invalid(`${path} is too large`));
    switch (part.kind) {
      case 'accounts': {
        const accounts = parseAccounts(await text(LARGE));
        if (accounts === null) throw invalid(`${path} is damaged`);
        hasAccounts = true;
        owners = ownersOf(accounts);
        summary.users = Object.keys(accounts.users).length;
        break;
      }
      case 'secret':
        if (!isSecretText(await text())) throw invalid(`${path} is damaged`);
        summary.secret = true;
        break;
      case 'record':
        record = parseRecord(await text(), part);
        if (record === null || owner.digests.has(part.id)) throw invalid(`${path} is damaged`);
        break;
      case 'picture': {
        if (record === null || part.id !== record.id || part.extension !== record.extension)
          throw invalid(`${path} has no record`);
        const { id, sha256, digestKey, bytes } = record;
        const content = inventory.pass(file, (found) => {
          if (found !== sha256) throw invalid(`${path} is not the picture that its record tells of`);
        });
        let length = 0;
        for await (const chunk of content) length += chunk.length;
        if (length !== bytes) throw invalid(`${path} has not the length that its record tells of`);
        summary.pictures += 1;
        summary.bytes += length;
        owner.digests.set(id, digestKey);
        owner.unpointed.add(digestKey);
        record = null;
        break;
      }
      case 'pointer':
        if (owner.digests.get(await text()) !== part.digestKey) throw invalid(`${path} names another picture`);
        owner.unpointed.delete(part.digestKey);
        break;
      case 'manifest':
        manifest = parseManifest(await readText(file.content, SMALL, () => invalid(`${path} is too large`)));
        if (manifest === null) throw invalid(`${path} is damaged`);
        break;
    }
  }
  finishOwner();
  if (manifest === null) throw invalid('its end is missing');
  if (manifest.format !== BACKUP_FORMAT) throw invalid(`it has format ${manifest.format}, so use a newer imgup`);
  const { files: count, sha256 } = inventory.close();
  if (!hasAccounts) throw invalid('db.json is missing');
  if (count !== manifest.files || sha256 !== manifest.sha256 || summary.secret !== manifest.secret) {
    throw invalid('files have been changed, added or lost since it was written');
  }
  return summary;

  function finishOwner(): void {
    const [digestKey] = owner.unpointed;
    if (digestKey !== undefined) throw invalid(`images/${owner.name}/by-digest/${digestKey} is missing`);
  }
}

async function readText(content: AsyncIterable<Uint8Array>, limit: number, tooLarge: () => Error): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of content) {
    bytes += chunk.length;
    if (bytes > limit) throw tooLarge();
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
