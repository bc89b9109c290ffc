import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

/** Set by `npm run test:scale`: whatever opens a server opens two, on engines that they share. */
// oxlint-disable-next-line node/no-process-env -- vitest is told of it in no other way
const scaled = Boolean(process.env['IMGUP_TEST_ACCOUNTS']);

export default defineConfig({
  // Tests run the TypeScript sources of every package; nothing needs to be built for them.
  resolve: {
    conditions: ['imgup-source'],
    alias: scaled
      ? [
          {
            find: /^\.\/compose\.ts$/,
            replacement: fileURLToPath(new URL('packages/cli/test/scaled-app.ts', import.meta.url)),
          },
        ]
      : [],
  },
  ssr: { resolve: { conditions: ['imgup-source'] } },
  test: {
    include: ['packages/*/test/**/*.test.ts', 'packages/*/src/**/*.test.ts'],
    // Of the slowest alone on two cores, three times the time: what is guaranteed has limits of its own.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // As a person's terminal is, whatever the tests are started from: readline reads keys in another way on a dumb one.
    env: { TERM: 'xterm-256color' },
    // Many tests wait (for a keychain that hangs, for a limit to pass), so that no core need be left free.
    maxWorkers: '100%',
  },
});
