/** The bundle: the same program as the sources, and run only while it is made of them. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  copyFileSync,
  cpSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { before, describe, test } from 'node:test';
import { bundle } from '../../scripts/bundle.ts';
import { buildPage } from '../../src/api/page/build-page.ts';
import { PAGE_NAME } from '../../src/api/page/page-file.ts';
import type { Bite } from '../../src/backups/backups.ts';
import { makeBackups } from '../../src/backups/make-backups.ts';
import { exec } from '../../src/lib/exec.ts';
import * as errors from '../../src/model/errors.ts';
import { backupWorld, MIB, NEVER } from '../backups/backup-world.ts';
import { type Bench, MAIN, type Pumice, withPumice } from '../cli/pumice-process.ts';
import { condition } from './condition.ts';

const ROOT = join(import.meta.dirname, '..', '..');
/** A checkout with nothing but the bundle. */
let checkout = '';
let made = '';

before(async () => {
  checkout = mkdtempSync(join(tmpdir(), 'pumice-bundle-'));
  copyFileSync(join(ROOT, 'package.json'), join(checkout, 'package.json'));
  made = await bundle(join(checkout, '.build'));
});
process.once('exit', () => rmSync(checkout, { recursive: true, force: true }));

interface Volumes {
  readonly volume?: { readonly id: string; readonly name: string; readonly status: string };
  readonly volumes?: readonly unknown[];
}

async function ask(address: string, method: string, path: string, body?: object): Promise<Volumes> {
  const response = await fetch(`${address}/v3/cafe${path}`, {
    method,
    headers: { 'X-Auth-Token': 'demo:cafe', 'Content-Type': 'application/json' },
    ...(body && { body: JSON.stringify(body) }),
  });
  assert.ok(response.ok, `${method} ${path}: ${response.status}`);
  return (await response.json()) as Volumes;
}

const available = (address: string, id = '') =>
  condition('the volume is available', 30_000, async () => {
    return (await ask(address, 'GET', `/volumes/${id}`)).volume?.status === 'available';
  });

for (const form of ['sources', 'bundle'] as const) {
  describe(`the program as ${form}`, () => {
    test('creates a volume, ends on SIGTERM, is killed, finds its volumes each time, and the doctor finds nothing', () =>
      withPumice(
        async ({ directory, run }) => {
          const serve = () => run('serve', '--data', directory, '--set', 'api.port=0');
          const version = await run('--version').ended();
          assert.deepEqual(version, { code: 0, out: `${versionOfCheckout()}\n`, err: '' });

          const first = serve();
          const made = await ask(await first.address(), 'POST', '/volumes', { volume: { size: 1, name: 'first' } });
          await available(await first.address(), made.volume?.id);
          first.signal('SIGTERM');
          assert.equal((await first.ended()).code, 0);

          const second = serve();
          const again = await ask(await second.address(), 'POST', '/volumes', { volume: { size: 1, name: 'second' } });
          second.signal('SIGKILL');
          await second.ended();

          const third = serve();
          const address = await third.address();
          await available(address, again.volume?.id);
          assert.equal((await ask(address, 'GET', `/volumes/${made.volume?.id}`)).volume?.name, 'first');
          // Answered by the thread that searches.
          const found = await ask(address, 'GET', '/volumes?bootable=false');
          assert.equal(found.volumes?.length, 2);
          third.signal('SIGTERM');
          assert.equal((await third.ended()).code, 0);

          const doctor = await run('doctor', '--data', directory).ended();
          assert.equal(doctor.code, 0, doctor.out + doctor.err);
        },
        form === 'sources' ? MAIN : join(made, 'main.js'),
      ));
  });
}

/** Writes down which files of the bundle and modules of Node are loaded, when the process ends. */
const LISTS_LOADED = `
import { writeFileSync } from 'node:fs';
import { registerHooks } from 'node:module';
const loaded = [];
registerHooks({
  load: (url, context, next) => {
    if (url.startsWith('file:')) loaded.push(new URL(url).pathname);
    return next(url, context);
  },
});
process.on('exit', () => writeFileSync(process.env.LOADED, [...loaded, ...process.moduleLoadList].join('\\n')));
`;

interface Loaded {
  /** Files, but for the hook that writes them down. */
  readonly files: readonly string[];
  /** Packages and sources that these files are made of. */
  readonly parts: ReadonlySet<string>;
  /** Of Node's modules, as it names them. */
  readonly builtins: ReadonlySet<string>;
}

/** Of the bundle. */
async function loadedBy(
  { directory, runWith }: Bench,
  args: readonly string[],
  until: (pumice: Pumice) => Promise<void>,
): Promise<Loaded> {
  const [hook, list] = [join(directory, 'hook.mjs'), join(directory, 'loaded')];
  writeFileSync(hook, LISTS_LOADED);
  const pumice = runWith({ NODE_OPTIONS: `--import ${hook}`, LOADED: list }, ...args);
  await until(pumice);
  assert.equal((await pumice.ended()).code, 0);
  const loaded = readFileSync(list, 'utf8').split('\n');
  const files = loaded.filter((each) => each.startsWith('/') && each !== hook);
  const chunks = files.filter((file) => dirname(file) === made);
  const packages = chunks.flatMap((file) => [
    ...readFileSync(file, 'utf8').matchAll(/"node_modules\/((?:@[^/]+\/)?[^/"]+)/g),
  ]);
  const sources = chunks.flatMap((file) => JSON.parse(readFileSync(`${file}.map`, 'utf8')).sources as string[]);
  return {
    files,
    parts: new Set([
      ...packages.map(([, name]) => name ?? ''),
      ...sources.map((source) => source.replace(/^.*\/src\//, 'src/')),
    ]),
    builtins: new Set(loaded.flatMap((each) => (each.startsWith('NativeModule ') ? [each.slice(13)] : []))),
  };
}

describe('the bundle', () => {
  test('is loaded without what this service has no use for, and without any file beside it', () =>
    withPumice(
      async (world) => {
        const serve = ['serve', '--data', world.directory, '--set', 'api.port=0'];
        const { files, parts, builtins } = await loadedBy(world, serve, async (pumice) => {
          await ask(await pumice.address(), 'GET', '/volumes');
          pumice.signal('SIGTERM');
        });
        assert.deepEqual(
          files.filter((file) => dirname(file) !== made),
          [],
        );
        assert.ok(files.length <= 60, `${files.length} files`);
        for (const name of ['fastify', 'pino', 'src/wiring.ts', 'src/cli/serve.ts']) assert.ok(parts.has(name), name);
        const late = [
          ...['ajv', 'pg', 'amqplib', 'mysql2', 'light-my-request', '@fastify/ajv-compiler'],
          ...['page-files', 'sessions', 'session-routes', 'build-page'].map((name) => `src/api/page/${name}.ts`),
          ...['src/api/identity/people.ts', 'src/clients/glance.ts', 'src/clients/keystone.ts'],
          ...[
            'src/db/sql/postgresql.ts',
            'src/drivers/exports/tgtd.ts',
            'src/events/sink-amqp.ts',
            'src/import/map/map-cinder.ts',
            'src/doctor/examine.ts',
          ],
        ];
        assert.deepEqual(
          late.filter((name) => parts.has(name)),
          [],
        );
        const ofFew = ['https', 'http2', 'tls', 'zlib', 'internal/crypto/webcrypto', 'internal/deps/undici/undici'];
        assert.ok(builtins.has('http') && builtins.has('sqlite'));
        assert.deepEqual(
          ofFew.filter((name) => builtins.has(name)),
          [],
        );
      },
      join(made, 'main.js'),
    ));

  test('lists flows without loading the service', () =>
    withPumice(
      async (world) => {
        const { directory, run } = world;
        const pumice = run('serve', '--data', directory, '--set', 'api.port=0');
        await pumice.address();
        const { parts } = await loadedBy(world, ['flows', 'list', '--data', directory], async () => {});
        assert.ok(parts.has('src/cli/flows-list.ts'));
        const ofService = ['src/wiring.ts', 'src/api/server.ts', 'src/flows/registry.ts', 'fastify'];
        assert.deepEqual(
          ofService.filter((name) => parts.has(name)),
          [],
        );
        pumice.signal('SIGTERM');
        await pumice.ended();
      },
      join(made, 'main.js'),
    ));

  test('holds the page as the sources build it, ready to be sent', () =>
    withPumice(
      async ({ directory, run }) => {
        const pumice = run('serve', '--data', directory, '--set', 'api.port=0');
        const address = await pumice.address();
        const html = await (await fetch(address, { headers: { accept: 'text/html' } })).text();
        const built = new Map((await buildPage()).map(({ name, identity }) => [name, identity]));
        assert.equal(html, String(built.get(PAGE_NAME)));
        for (const [name, bytes] of built)
          if (name !== PAGE_NAME)
            assert.equal(await (await fetch(`${address}/page/${name}`)).text(), String(bytes), name);
        pumice.signal('SIGTERM');
        await pumice.ended();
      },
      join(made, 'main.js'),
    ));

  test('calls each error as the sources do: clients and flows read its name', () => {
    const text = readdirSync(made)
      .filter((file) => file.endsWith('.js'))
      .map((file) => readFileSync(join(made, file), 'utf8'))
      .join('\n');
    const classes = Object.values(errors).filter((each) => typeof each === 'function' && /^class/.test(`${each}`));
    assert.ok(classes.length > 20);
    const renamed = classes.filter(({ name }) => new RegExp(`\\bclass ${name}\\d|\\b${name}\\d+=class\\b`).test(text));
    assert.deepEqual(renamed, []);
  });

  test('names files and lines of the sources in the stack of an error', () => {
    // A thread that is begun without its options.
    const { stderr } = spawnSync(process.execPath, [join(made, 'amqp-thread.js')], { encoding: 'utf8' });
    const [, file = '', line = ''] = /at new AmqpPublisher \(file:\/\/(\/.*\.ts):(\d+):\d+\)/.exec(stderr) ?? [];
    assert.ok(file.endsWith('src/events/amqp-publisher.ts'), stderr);
    assert.match(
      readFileSync(join(ROOT, 'src/events/amqp-publisher.ts'), 'utf8').split('\n')[Number(line) - 1] ?? '',
      /constructor\(/,
    );
  });

  // A bundled package of CommonJS has no names of its own when it is imported late: `exports` is its default.
  test('takes what it imports late from a package out of its default', () => {
    const late = globSync('src/**/*.ts', { cwd: ROOT }).flatMap((file) =>
      [
        ...readFileSync(join(ROOT, file), 'utf8').matchAll(/^.*[^f] import\('[^.].*\n.*|^.*[^f] import\('[^.].*$/gm),
      ].map(([text]) => `${file}: ${text}`),
    );
    assert.equal(late.length, 2);
    assert.deepEqual(
      late.filter((text) => !/\bdefault\b/.test(text)),
      [],
    );
  });

  test('has beside it the process that copies backups', async () => {
    const world = await backupWorld();
    try {
      const backups = makeBackups({ exec, child: join(made, 'backup-child.js') });
      const file = await world.file('volume', MIB, [[4096, Buffer.from('content')]]);
      const order = { place: world.place('a'), source: { uri: `file:${file}`, bytes: MIB }, bites: [], patienceMs: 0 };
      const told: Bite[] = [];
      const watch = {
        signal: NEVER,
        progress: () => {},
        waiting: () => {},
        bite: (bite: Bite) => void told.push(bite),
      };
      await backups.copy({ ...order, attempt: 1, parentId: null, changed: null, base: null }, watch);
      assert.deepEqual(
        told.map(({ pack, first, chunks }) => [pack, first, chunks]),
        [['a/1-0', 0, 1]],
      );
    } finally {
      await world.remove();
    }
  });

  test('has beside it the program that holds threads of tgtd', () => {
    assert.equal(
      readFileSync(join(made, 'tgt-hold.pl'), 'utf8'),
      readFileSync(join(ROOT, 'src/drivers/exports/tgt-hold.pl'), 'utf8'),
    );
  });

  test('leaves the one before, which a service may still run, and no older one', async () => {
    const directory = join(checkout, 'many');
    for (const name of ['oldest', 'before']) mkdirSync(join(directory, name), { recursive: true });
    symlinkSync('before', join(directory, 'current'));
    const name = (await bundle(directory)).slice(directory.length + 1);
    assert.deepEqual(readdirSync(directory).sort(), [name, 'before', 'current'].sort());
    assert.ok(statSync(join(directory, 'current', 'main.js')).isFile());
  });
});

describe('bin/pumice', () => {
  /** What it runs in a checkout of two sources after a change, and whether it says that it runs unbuilt. */
  function runs(change: (root: string) => void, command = 'serve') {
    const root = mkdtempSync(join(checkout, 'root-'));
    for (const [path, text] of [
      ['package.json', '{"type":"module"}'],
      ['src/main.ts', 'console.log("sources");'],
      ['src/other.ts', 'export const other = 1;'],
      ['.build/one/main.js', 'console.log("bundle");'],
    ] as const) {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      writeFileSync(join(root, path), text);
    }
    cpSync(join(ROOT, 'bin'), join(root, 'bin'), { recursive: true });
    symlinkSync('one', join(root, '.build/current'));
    const listed = spawnSync('sha256sum', ['package.json', 'src/main.ts', 'src/other.ts'], { cwd: root });
    writeFileSync(join(root, '.build/one/sources'), listed.stdout);
    change(root);
    const { stdout, stderr } = spawnSync(join(root, 'bin/pumice'), [command], { cwd: tmpdir(), encoding: 'utf8' });
    return [stdout.trim(), /^pumice: runs unbuilt[^\n]*\n$/.test(stderr)];
  }

  test('runs the bundle of these very sources', () => {
    assert.deepEqual(
      runs(() => {}),
      ['bundle', false],
    );
  });

  test('runs the sources, and says so, when one has changed, though it is as long and as old as before', () => {
    const changed = runs((root) => {
      const file = join(root, 'src/other.ts');
      const { atime, mtime } = statSync(file);
      writeFileSync(file, 'export const other = 2;');
      utimesSync(file, atime, mtime);
    });
    assert.deepEqual(changed, ['sources', true]);
  });

  test('runs the sources, and says so, when one is gone, and when there is no bundle', () => {
    for (const gone of ['src/other.ts', '.build', '.build/one'])
      assert.deepEqual(
        runs((root) => rmSync(join(root, gone), { recursive: true })),
        ['sources', true],
        gone,
      );
  });

  test('says nothing of it before a command that only looks', () => {
    assert.deepEqual(
      runs((root) => rmSync(join(root, '.build'), { recursive: true }), 'doctor'),
      ['sources', false],
    );
  });
});

const versionOfCheckout = (): string => JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')).version;
