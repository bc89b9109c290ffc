import type { Argument, Command, Option } from 'commander';
import type { CompletionValues } from './completion-values.ts';
import { HELP } from './help-program.ts';

/** What stands on a command line that the Tab key was pressed on, as tabtab's scripts tell it. */
export interface TypedLine {
  shell: 'bash' | 'zsh' | 'fish' | 'pwsh';
  /** What comes after `imgup`; the last one is to be completed, and may be empty. */
  words: string[];
}

export interface Candidate {
  value: string;
  description: string;
}

/** What may stand in place of the last word; "files": the name of any file. */
export function completions(program: Command, words: string[], values: CompletionValues): Candidate[] | 'files' {
  const typed = words.at(-1) ?? '';
  const { command, option, args } = place(program, words.slice(0, -1));
  const fitting = (candidates: Candidate[]) => candidates.filter(({ value }) => value.startsWith(typed));

  if (option !== null) {
    return PATHS.has(valueName(option)) ? 'files' : fitting(choices(option, values.ofOption(option.name())));
  }
  if (typed.startsWith('-')) return fitting(optionsOf(command));
  if (command.name() === HELP) return fitting(subcommandsOf(place(command.parent ?? program, args).command));
  if (args.length === 0 && command.commands.length > 0) return fitting(subcommandsOf(command));
  const argument = argumentAt(command, args.length);
  if (argument === undefined) return [];
  const name = argument.name();
  return PATHS.has(name) ? 'files' : fitting(choices(argument, values.ofArgument(name, args)));
}

/** Values that are paths, by how the help names them. */
const PATHS = new Set(['file', 'folder', 'path', 'list', 'target', 'backup']);

/** What is typed, out of what the scripts hand over. @param words of the line, the program's name included */
export function typedLine(words: string[], env: NodeJS.ProcessEnv): TypedLine {
  const shell = env['SHELL'];
  if (shell === 'bash' || shell === 'zsh' || shell === 'fish') {
    return { shell, words: words.slice(1, Number(env['COMP_CWORD']) + 1) };
  }
  const typed = (env['COMP_LINE'] ?? '').split(' ').slice(1);
  return { shell: 'pwsh', words: typed.map((word) => (word === '`"`"' ? '' : word)) };
}

/** The answer, as tabtab's scripts read it. */
export function answerLines(found: Candidate[] | 'files', shell: TypedLine['shell']): string[] {
  // With no answer, bash completes the names of files by itself.
  if (found === 'files') return shell === 'bash' || shell === 'pwsh' ? [] : ['__tabtab_complete_files__'];
  const escaped = (text: string) => text.replaceAll(':', String.raw`\:`);
  return found.map(({ value, description }) => {
    if (shell === 'bash') return value;
    if (shell === 'zsh')
      return [value, description]
        .filter((part) => part !== '')
        .map(escaped)
        .join(':');
    return description === '' ? value : `${value}\t${description}`;
  });
}

/** Where in the tree the next word stands: the option that it is the value of, or the arguments before it. */
function place(program: Command, words: string[]): { command: Command; option: Option | null; args: string[] } {
  let command = program;
  let option: Option | null = null;
  const args: string[] = [];
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
      if (next !== undefined && args.length === 0) command = next;
      else args.push(word);
    }
  }
  return { command, option, args };
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
  return all.map(({ long, flags, description }) => ({ value: long ?? flags, description }));
}

function subcommandsOf(command: Command): Candidate[] {
  const visible = command.createHelp().visibleCommands(command);
  return visible.map((each) => ({ value: each.name(), description: each.summary() }));
}

function argumentAt({ registeredArguments }: Command, position: number): Argument | undefined {
  const last = registeredArguments.at(-1);
  return registeredArguments[position] ?? (last?.variadic === true ? last : undefined);
}

function choices({ argChoices }: Option | Argument, values: string[]): Candidate[] {
  return (argChoices ?? values).map((value) => ({ value, description: '' }));
}

function valueName({ flags }: Option): string {
  return /<([^>]+)>/.exec(flags)?.[1] ?? '';
}
