/** What `imgup` alone prints: the commands that most people need. */
export const SHORT_HELP = `imgup puts a picture on a server of yours, and prints its link.

  imgup serve             start a server on this machine
  imgup register          make an account there
  imgup login             log in, here or at another server (--server URL)
  imgup upload photo.jpg  put a picture on it, and print its link
  imgup whoami            show who is logged in, and what is left of the limit

Run \`imgup --help\` for all commands and options.
`;

export const FIRST_STEPS = `
First steps:
  $ imgup serve              in one terminal
  $ imgup register           in another
  $ imgup upload photo.jpg`;

export const EXIT_CODES = `
Exit codes:
    0  all done
    1  failed
    2  wrong usage
    3  some files failed, others were uploaded
    4  not logged in, or the session has ended
    5  the server refused the picture
    6  the upload limit is reached, and --no-wait was given
    7  the server cannot be reached
  130  interrupted`;

/** What terminals have at the least, and help is laid out for; in a narrower one it is wrapped. */
export const HELP_COLUMNS = 80;

/** The examples and the exit codes below a command's help: what to type, and what it is for. */
export function examples(...lines: [command: string, purpose?: string][]): string {
  const width = Math.max(...lines.map(([command]) => command.length));
  const beside = lines.map(([command, purpose]) =>
    purpose === undefined ? `  $ ${command}` : `  $ ${command.padEnd(width)}  ${purpose}`,
  );
  const above = lines.flatMap(([command, purpose]) => [
    ...(purpose === undefined ? [] : [`  # ${purpose}`]),
    `  $ ${command}`,
  ]);
  const shown = beside.every((line) => line.length <= HELP_COLUMNS) ? beside : above;
  return `\nExamples:\n${shown.join('\n')}\n${EXIT_CODES}`;
}
