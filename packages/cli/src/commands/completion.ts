import { script } from '@bomb.sh/tab';

/** Prints the script that makes a shell ask `imgup complete` what may come next. */
export function printScript(shell: string): void {
  script(shell, 'imgup', 'imgup');
}
