import type { Argument, Command, Option } from 'commander';

/** What a shell is told at the end (cobra's directives): to offer files besides, or not to. */
const FILES = ':0';
const NO_FILES = ':4';

/** Values that are paths, by how the help names them. */
const PATHS = new Set(['file', 'folder', 'path', 'list', 'target', 'backup']);

/**
 * What may stand in place of the last word, as the shells' scripts read it: a line `value<tab>description` each, and a
 * last line with a directive.
 *
 * @param words what was typed after `imgup`, of which the last one may be empty
 */
export function completions(program: Command, words: string[]): string[] {
  const typed = words.at(-1) ?? '';
  const { command, option, position } = place(program, words.slice(0, -1));
  const offer = (candidates: Candidate[]) =>
    candidates.filter(([value]) => value.startsWith(typed)).map(([value, what]) => `${value}\t${what}`);

  if (option !== null) return [...offer(choices(option)), PATHS.has(valueName(option)) ? FILES : NO_FILES];
  if (typed.startsWith('-')) return [...offer(optionsOf(command)), NO_FILES];
  if (position === 0 && command.commands.length > 0) return [...offer(subcommandsOf(command)), NO_FILES];
  const argument = argumentAt(command, position);
  if (argument === undefined) return [NO_FILES];
  return [...offer(choices(argument)), PATHS.has(argument.name()) ? FILES : NO_FILES];
}

type Candidate = [value: string, description: string];

/** Where in the tree the next word stands: the option that it is the value of, or its place among the arguments. */
function place(program: Command, words: string[]): { command: Command; option: Option | null; position: number } {
  let command = program;
  let option: Option | null = null;
  let position = 0;
  for (const word of words) {
    if (option !== null) {
      option = null;
    } else if (word.startsWith('-') && word !== '-') {
      const found = ancestry(command)
        .flatMap(({ options }) => options)
        .find(({ long, short }) => word === long || word === short);
      if (found?.required === true) option = found;
    } else {
      const next = command.commands.find((each) => each.name() === word || each.aliases().includes(word));
      if (next !== undefined && position === 0) command = next;
      else position += 1;
    }
  }
  return { command, option, position };
}

function ancestry(command: Command): Command[] {
  return command.parent === null ? [command] : [command, ...ancestry(command.parent)];
}

function optionsOf(command: Command): Candidate[] {
  const help = command.createHelp();
  const all = [
    ...help.visibleOptions(command),
    ...ancestry(command)
      .slice(1)
      .flatMap(({ options }) => options),
  ];
  return all.filter(({ hidden }) => !hidden).map(({ long, flags, description }) => [long ?? flags, description]);
}

function subcommandsOf(command: Command): Candidate[] {
  const visible = command.createHelp().visibleCommands(command);
  return visible.map((each) => [each.name(), each.summary()]);
}

function argumentAt({ registeredArguments }: Command, position: number): Argument | undefined {
  const last = registeredArguments.at(-1);
  return registeredArguments[position] ?? (last?.variadic === true ? last : undefined);
}

function choices({ argChoices }: Option | Argument): Candidate[] {
  return (argChoices ?? []).map((choice) => [choice, '']);
}

function valueName({ flags }: Option): string {
  return /<([^>]+)>/.exec(flags)?.[1] ?? '';
}
