// A vitest reporter for CI: there everything that tests need is installed, so a test that is skipped proves nothing and
// must not look like one that passed.
//
//     vitest run --reporter=default --reporter=./scripts/fail-on-skipped.js

// oxlint-disable-next-line import/no-default-export -- vitest takes a reporter's default export
export default class FailOnSkipped {
  /** @param {readonly import('vitest/node').TestModule[]} modules */
  onTestRunEnd(modules) {
    const skipped = modules.flatMap((module) => [
      ...[...module.children.allTests('skipped')].map((test) => `${module.relativeModuleId}: ${test.fullName}`),
      ...(module.state() === 'skipped' ? [module.relativeModuleId] : []),
    ]);
    if (skipped.length === 0) return;
    console.error(`${skipped.length} skipped, where none may be:\n${skipped.map((name) => `  ${name}`).join('\n')}`);
    process.exitCode = 1;
  }
}
