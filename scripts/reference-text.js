/**
 * The help of a command, by its path: `[]` for the program, `['users', 'rm']`.
 *
 * @typedef {(path: string[]) => Promise<string>} Help
 */

const BEGIN = '<!-- What follows is made by `npm run reference` out of `imgup --help`. -->';
const END = '<!-- Made until here. -->';

/**
 * A text with the list of commands in it, in the place that is marked for it.
 *
 * @param {string} text
 * @param {Help} help
 */
export async function withCommands(text, help) {
  const [before, rest] = text.split(`${BEGIN}\n`);
  const [, after] = rest?.split(END) ?? [];
  if (before === undefined || after === undefined) throw new Error(`there is no place marked by ${BEGIN} and ${END}`);
  const list = section(await help([]), 'Commands:');
  return `${before}${BEGIN}\n\n\`\`\`\n${list}\n\`\`\`\n\n${END}${after}`;
}

/**
 * Every command with its options and examples.
 *
 * @param {Help} help
 */
export async function commandsDocument(help) {
  const top = await help([]);
  const parts = [
    '# Commands',
    'Made by `npm run reference` out of what `imgup <command> --help` prints.',
    '## Options of every command',
    block(section(top, 'Options:')),
    '## Exit codes',
    block(section(top, 'Exit codes:')),
  ];
  /** @param {string[]} path @param {string} text */
  async function add(path, text) {
    for (const name of namesIn(text)) {
      const below = [...path, name];
      const own = await help(below);
      parts.push(`## imgup ${below.join(' ')}`, block(withoutSections(own, ['Global Options:', 'Exit codes:'])));
      await add(below, own);
    }
  }
  await add([], top);
  return `${parts.join('\n\n')}\n`;
}

/** @param {string} text */
function block(text) {
  return `\`\`\`\n${text}\n\`\`\``;
}

/**
 * The lines below a heading of the help, up to the next empty one.
 *
 * @param {string} text
 * @param {string} heading
 */
function section(text, heading) {
  const [, rest = ''] = `\n${text}`.split(`\n${heading}\n`);
  return (rest.split('\n\n')[0] ?? '').trimEnd();
}

/**
 * @param {string} text
 * @param {string[]} headings
 */
function withoutSections(text, headings) {
  const paragraphs = text.trim().split(/\n\n+/);
  return paragraphs.filter((paragraph) => !headings.some((heading) => paragraph.startsWith(heading))).join('\n\n');
}

/**
 * The commands that a help lists, without that for help itself.
 *
 * @param {string} text
 */
function namesIn(text) {
  const names = [...section(text, 'Commands:').matchAll(/^ {2}([a-z][a-z-]*)/gm)].map(([, name = '']) => name);
  return names.filter((name) => name !== 'help');
}
