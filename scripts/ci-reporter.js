// A vitest reporter for CI. There everything that tests need is installed, so a test that is skipped proves nothing and
// must not look like one that passed; and a test that failed at first is named, because on a machine that is busy a
// keychain or a store may end by itself, and because it may have been none of them.
//
//     vitest run --retry=1 --reporter=default --reporter=./scripts/ci-reporter.js

// oxlint-disable-next-line import/no-default-export -- vitest takes a reporter's default export
export default class CiReporter {
  /** @param {readonly import('vitest/node').TestModule[]} modules */
  onTestRunEnd(modules) {
    const again = modules.flatMap((module) =>
      [...module.children.allTests('passed')].filter((test) => test.diagnostic()?.flaky).map(nameOf),
    );
    if (again.length > 0) console.error(`${again.length} passed at the second try only:\n${list(again)}`);

    const skipped = modules.flatMap((module) => [
      ...[...module.children.allTests('skipped')].map(nameOf),
      ...(module.state() === 'skipped' ? [module.relativeModuleId] : []),
    ]);
    if (skipped.length === 0) return;
    console.error(`${skipped.length} skipped, where none may be:\n${list(skipped)}`);
    process.exitCode = 1;
  }
}

/** @param {import('vitest/node').TestCase} test */
function nameOf(test) {
  return `${test.module.relativeModuleId}: ${test.fullName}`;
}

/** @param {string[]} names */
function list(names) {
  return names.map((name) => `  ${name}`).join('\n');
}
