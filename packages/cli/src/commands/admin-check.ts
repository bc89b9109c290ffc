import type { CheckResult, FlawKind } from '@imgup/server';
import type { Context } from '../context.ts';
import { count } from '../count.ts';
import { CliError, EXIT } from '../errors.ts';
import { withDataFolder, type DataOptions } from '../with-data-folder.ts';

export interface AdminCheckOptions extends DataOptions {
  repair?: boolean;
}

/** Reads all of a server's data, prints a line for each thing that is wrong, and mends it where that is asked for. */
export async function adminCheck(options: AdminCheckOptions, context: Context): Promise<void> {
  const { io } = context;
  const repair = options.repair === true;
  const { lostAndFound, accountsElsewhere, ...result } = await withDataFolder(options, context, {
    text: repair ? 'Checking and mending' : 'Checking',
    writes: repair,
    work: async (server, { data, accounts }) => {
      const accountsElsewhere = accounts !== null;
      return { ...(await server.checkData(data, { repair, accountsElsewhere })), accountsElsewhere };
    },
  });
  const document = { ...result, ...(repair ? { lost_and_found: lostAndFound } : {}) };
  if (accountsElsewhere) io.note('The accounts are in the database of IMGUP_ACCOUNTS, and are not looked at.');
  const left = result.findings.filter(({ mended }) => !mended).length;
  if (options.json !== true) {
    for (const { kind, path, mended } of result.findings) {
      io.print(`${path}: ${FLAW_WORDS[kind]}${mended ? ' (mended)' : ''}`);
    }
  }
  if (left > 0) {
    const rest = repair
      ? 'which only a person can mend; a backup has it whole if there is one (`imgup admin restore`)'
      : 'stop the server and run `imgup admin check --repair`';
    const message = `${count(left, 'thing is', 'things are')} wrong in ${inAll(result)}${repair ? ', ' : '; '}${rest}.`;
    throw new CliError('findings', EXIT.failed, message, { result: document });
  }
  if (options.json === true) return io.printJson(document);
  const mended = result.findings.length;
  if (mended === 0) return io.note(`Checked ${inAll(result)}: nothing is wrong.`);
  io.note(`Mended ${count(mended, 'thing', 'things')} in ${inAll(result)}.`);
  if (lostAndFound !== null) io.note(`What was taken out is in ${lostAndFound}; look at it before you remove it.`);
}

export const FLAW_WORDS: Record<FlawKind, string> = {
  accounts_damaged: 'the accounts cannot be read',
  accounts_missing: 'the accounts are missing; set IMGUP_ACCOUNTS if they are in a database',
  secret_damaged: 'the secret cannot be read',
  mode_open: 'others on this machine may read it',
  picture_without_record: 'a picture without its record',
  record_without_picture: 'a record without its picture',
  record_damaged: 'the record cannot be read, or is of another picture',
  picture_damaged: 'the picture is not what its record says',
  pointer_dangling: 'a pointer to a picture that is not there',
  pointer_wrong: 'a pointer to another picture',
  record_without_pointer: 'a picture without its pointer',
  twin: 'a picture that its owner has twice',
  leftover: 'pictures of nobody',
  half_received: 'a half-received upload',
  draft: 'a half-written file',
  stray: 'nothing that belongs here',
};

function inAll({ users, pictures }: Pick<CheckResult, 'users' | 'pictures'>): string {
  return `the data of ${count(users, 'user', 'users')} with ${count(pictures, 'picture', 'pictures')}`;
}
