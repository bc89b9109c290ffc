import { defineConfig } from 'vitest/config';

export default defineConfig({
  // Tests run the TypeScript sources of every package; nothing needs to be built for them.
  resolve: { conditions: ['imgup-source'] },
  ssr: { resolve: { conditions: ['imgup-source'] } },
  test: {
    include: ['packages/*/test/**/*.test.ts', 'packages/*/src/**/*.test.ts'],
    testTimeout: 20_000,
    // Many tests wait (for a keychain that hangs, for a limit to pass), so that no core need be left free.
    maxWorkers: '100%',
  },
});
