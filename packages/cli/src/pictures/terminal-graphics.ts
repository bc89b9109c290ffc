import { createSupportsTerminalGraphics } from 'supports-terminal-graphics';
import type { Io } from '../io.ts';
import type { Graphics } from './graphics.ts';

/** How stdout can show a picture; null: not at all. */
export function terminalGraphics({ stdout }: Io, env: NodeJS.ProcessEnv): Graphics | null {
  if (stdout.isTTY !== true || env['TERM'] === 'dumb') return null;
  // These hand nothing of the kind on to the terminal that they are in.
  if (env['TMUX'] || env['STY']) return 'blocks';
  const supports = createSupportsTerminalGraphics(stdout);
  if (supports.kitty) return 'kitty';
  if (supports.iterm2) return 'iterm2';
  return supports.sixel ? 'sixel' : 'blocks';
}
