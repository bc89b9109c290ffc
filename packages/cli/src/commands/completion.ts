import bash from '@pnpm/tabtab/lib/templates/completion.bash?raw';
import powershell from '@pnpm/tabtab/lib/templates/completion.ps1?raw';
import zsh from '@pnpm/tabtab/lib/templates/completion.zsh?raw';
import type { Context } from '../context.ts';

/** Not tabtab's, which evaluates what has been typed so far as code. */
const fish = `function _{pkgname}_completion
  set -l words (commandline -opc) (commandline -ct)
  set -l found (env SHELL=fish COMP_CWORD=(math (count $words) - 1) {completer} completion-server -- $words)
  if test "$found" = __tabtab_complete_files__
    __fish_complete_path (commandline -ct)
  else
    printf '%s\\n' $found
  end
end
complete -f -c {pkgname} -a '(_{pkgname}_completion)'
`;

const SCRIPTS = { bash, zsh, fish, powershell };

/** The shells that there is a script for. */
export type Shell = keyof typeof SCRIPTS;

/** Prints the script that makes a shell ask `imgup completion-server` what may come next. */
export function completion(shell: Shell, { io }: Context): void {
  io.stdout.write(SCRIPTS[shell].replaceAll('{pkgname}', 'imgup').replaceAll('{completer}', 'imgup'));
}
