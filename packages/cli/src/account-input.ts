import type { Readable } from 'node:stream';
import { PASSWORD_MAX_BYTES, PASSWORD_MIN_BYTES, USERNAME_PATTERN, type ProblemCode } from '@imgup/shared';
import type { PasswordChange } from './api/client.ts';
import type { Context } from './context.ts';
import { localProblem, usageError } from './errors.ts';

export interface AccountInput {
  username: string;
  password: string;
}

/**
 * Has the name and the password of an account: from the options, or by asking where a person is there to be asked.
 * What the server would refuse anyway is refused here. Errors: `CliError` (usage).
 *
 * @param options.twice whether the password is new, and so asked for twice
 */
export async function readAccountInput(
  options: { username?: string; passwordStdin?: boolean; color: boolean; twice: boolean },
  context: Context,
): Promise<AccountInput> {
  const username = options.username ?? (await askUsername(options.color, context));
  refuse(usernameProblem(username));
  const [password = ''] =
    options.passwordStdin === true
      ? await readLines(context.io.stdin, 1)
      : [await askPassword({ message: `Password of ${username}`, ...options }, context)];
  refuse(passwordProblem(password));
  return { username, password };
}

/**
 * Has the present password and the new one, in the same way: two lines of stdin, or questions.
 * Errors: `CliError` (usage).
 */
export async function readPasswordChange(
  { passwordStdin, color }: { passwordStdin?: boolean; color: boolean },
  context: Context,
): Promise<PasswordChange> {
  if (passwordStdin === true) {
    const [current = '', next = ''] = await readLines(context.io.stdin, 2);
    refuse(passwordProblem(next));
    return { current, new: next };
  }
  // The present one is checked for nothing: it may be older than the rules.
  const current = await askPassword({ message: 'Present password', color, twice: false, check: () => null }, context);
  const next = await askPassword({ message: 'New password', color, twice: true }, context);
  return { current, new: next };
}

async function askUsername(color: boolean, context: Context): Promise<string> {
  if (!context.io.interactive)
    throw usageError('There is no terminal to ask on; give --username, and the password with --password-stdin.');
  const prompt = await context.prompt(color);
  return prompt.username((answer) => sentence(usernameProblem(answer)));
}

async function askPassword(
  {
    message,
    color,
    twice,
    check = passwordProblem,
  }: { message: string; color: boolean; twice: boolean; check?: (answer: string) => ProblemCode | null },
  context: Context,
): Promise<string> {
  if (!context.io.interactive) {
    throw usageError('There is no terminal to ask for the password on; pipe it in and use --password-stdin.');
  }
  const prompt = await context.prompt(color);
  const password = await prompt.password(message, (answer) => sentence(check(answer)));
  if (twice) {
    await prompt.password('The same password again', (answer) =>
      answer === password ? undefined : 'This is not the same as before.',
    );
  }
  return password;
}

/** The first lines of a stream, without their ends; what follows is left unread. */
async function readLines(stream: Readable, count: number): Promise<string[]> {
  let text = '';
  for await (const chunk of stream.setEncoding('utf8')) {
    text += String(chunk);
    if (text.split('\n').length > count || text.length > count * LINE_MAX_CHARACTERS) break;
  }
  const lines = text.split('\n', count).map((line) => line.replace(/\r$/, ''));
  if (lines.length === count && !lines.includes('')) return lines;
  throw usageError(
    count === 1
      ? '--password-stdin was given, but there is no password on stdin; pipe one in.'
      : '--password-stdin needs two lines on stdin: the present password, then the new one.',
  );
}

/** Far more than a password may have: enough to tell that it is too long. */
const LINE_MAX_CHARACTERS = 10_000;

function usernameProblem(username: string): ProblemCode | null {
  return USERNAME_PATTERN.test(username) ? null : 'username_invalid';
}

function passwordProblem(password: string): ProblemCode | null {
  const bytes = Buffer.byteLength(password.normalize('NFC'));
  if (bytes < PASSWORD_MIN_BYTES) return 'password_too_short';
  if (bytes > PASSWORD_MAX_BYTES) return 'password_too_long';
  return null;
}

function refuse(problem: ProblemCode | null): void {
  if (problem !== null) throw localProblem(problem);
}

function sentence(problem: ProblemCode | null): string | undefined {
  return problem === null ? undefined : localProblem(problem).message;
}
