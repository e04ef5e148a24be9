import { execFile } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';

const CI = join(import.meta.dirname, '../.ci/run');

interface Outcome {
  readonly code: number;
  readonly lastLine: string;
  readonly output: string;
}

/** Runs `.ci/run` with an npm that does as the script says; its arguments are `$*`. */
function runCi(t: ExecutionContext, npm: string): Promise<Outcome> {
  const folder = mkdtempSync(join(tmpdir(), 'cloudvol-ci-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, 'npm'), `#!/bin/sh\n${npm}\n`);
  chmodSync(join(folder, 'npm'), 0o755);
  const env = { ...process.env, PATH: `${folder}:${process.env['PATH'] ?? ''}` };
  return new Promise((resolve) => {
    const child = execFile(CI, { env }, (_, stdout) => {
      const lastLine = stdout.trimEnd().split('\n').at(-1) ?? '';
      resolve({ code: child.exitCode ?? -1, lastLine, output: stdout });
    });
  });
}

function tests(output: string, code = 0): string {
  return `[ "$1" = test ] || exit 0; printf '%b' '${output}'; exit ${code}`;
}

test('CI passes when tests ran and all passed', async (t) => {
  const { code, lastLine } = await runCi(t, tests('  ✔ a\\n\\n7 passed, 0 failed, 0 skipped\\n'));
  t.is(code, 0);
  t.is(lastLine, '7 passed, 0 failed, 0 skipped');
});

test('CI fails with the counts of a failed test', async (t) => {
  const { code, lastLine } = await runCi(t, tests('6 passed, 1 failed, 0 skipped\\n', 1));
  t.is(code, 1);
  t.is(lastLine, '6 passed, 1 failed, 0 skipped');
});

test('CI fails when something was skipped that should run, and names it', async (t) => {
  const skipped = '  - a (skipped: fio is not installed)\\n6 passed, 0 failed, 1 skipped\\n';
  const { code, lastLine, output } = await runCi(t, tests(skipped));
  t.is(code, 1);
  t.is(lastLine, '6 passed, 1 failed, 1 skipped');
  t.regex(output, /fio is not installed/);
});

test('CI accepts a skip that the kernel is to blame for', async (t) => {
  const skipped = '  - a (skipped: this kernel is older than Linux 6.9)\\n';
  const { code } = await runCi(t, tests(`${skipped}6 passed, 0 failed, 1 skipped\\n`));
  t.is(code, 0);
});

test('CI fails when no test ran or the runner crashed', async (t) => {
  for (const npm of [tests(''), tests('', 139), tests('0 passed, 0 failed, 0 skipped\\n')]) {
    const { code, lastLine } = await runCi(t, npm);
    t.is(code, 1, npm);
    t.regex(lastLine, /^0 passed, 1 failed, 0 skipped$/);
  }
});

for (const step of [
  'ci',
  'run -s test:deps',
  'run -s lint',
  'run -s types',
  'run -s format:check',
]) {
  test(`CI fails when npm ${step} fails`, async (t) => {
    const { code, lastLine } = await runCi(
      t,
      `case "$*" in "${step}"*) exit 1;; test) echo "7 passed, 0 failed, 0 skipped";; esac`,
    );
    t.is(code, 1);
    t.regex(lastLine, /^\d passed, 1 failed, 0 skipped$/);
  });
}
