/** The program as somebody runs it who has a terminal: real processes, real signals, real files. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, globSync, renameSync } from 'node:fs';
import { copyFile, mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { hostname } from 'node:os';
import { delimiter, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, test } from 'node:test';
import { promisify } from 'node:util';
import { type Bench, withPumice } from '../cli/pumice-process.ts';

const PROJECT = 'cafe';

async function ask(
  address: string,
  method: string,
  path: string,
  body?: object,
): Promise<{
  volume?: { id: string };
  attachment?: { id: string };
  volumes?: { id: string; name: string; status: string; volume_type: string }[];
  snapshots?: { id: string; name: string }[];
  groups?: { id: string; name: string; status: string }[];
  group_snapshots?: { id: string; name: string; status: string }[];
  pools?: { capabilities: { consistent_group_snapshot_enabled: boolean } }[];
}> {
  const response = await fetch(`${address}/v3/${PROJECT}${path}`, {
    method,
    headers: {
      'X-Auth-Token': `demo:${PROJECT}`,
      'OpenStack-API-Version': 'volume 3.71',
      'Content-Type': 'application/json',
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  assert.ok(response.ok, `${method} ${path}: ${response.status}`);
  const text = await response.text();
  return (text === '' ? {} : JSON.parse(text)) as never;
}

async function waitFor(what: () => Promise<boolean>, why: string): Promise<void> {
  const deadline = Date.now() + 30_000;
  while (!(await what())) {
    assert.ok(Date.now() < deadline, why);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

const serve = ({ directory, run }: Bench, ...args: readonly string[]) =>
  run('serve', '--data', directory, '--set', 'api.port=0', ...args);

/** Writes down what is loaded, when the process ends: packages, files of ours, and what is Node's own. */
const LISTS_WHAT_IS_LOADED = `
import { writeFileSync } from 'node:fs';
import { registerHooks } from 'node:module';
const loaded = new Set();
registerHooks({
  load: (url, context, next) => {
    const name = /node_modules\\/((?:@[^/]+\\/)?[^/]+)/.exec(url)?.[1] ?? /.*\\/(src\\/.*)/.exec(url)?.[1];
    if (name) loaded.add(name);
    return next(url, context);
  },
});
process.on('exit', () => {
  const own = process.moduleLoadList.filter((name) => name.startsWith('NativeModule '));
  writeFileSync(process.env.LOADED, [...loaded, ...own].join('\\n'));
});
`;

/** Each is a part of the house that this service has no use for. */
const FILES_OF_OTHERS = [
  'src/api/identity/people.ts',
  'src/api/pumice/event-room.ts',
  'src/api/pumice/own-routes.ts',
  'src/doctor/examine.ts',
  'src/backups/make-backups.ts',
  'src/clients/glance.ts',
  'src/clients/keystone.ts',
  'src/clients/unpack-image.ts',
  'src/db/sql/postgresql.ts',
  'src/drivers/images/read-image.ts',
  'src/drivers/lvm/lvm-driver.ts',
  'src/drivers/rbd/helper-process.ts',
  'src/drivers/rbd/rbd-client.ts',
  'src/drivers/rbd/rbd-driver.ts',
  'src/drivers/exports/iscsi-exports.ts',
  'src/drivers/exports/tgtd.ts',
  'src/events/hub.ts',
  'src/events/sink-amqp.ts',
  'src/events/sink-webhook.ts',
  'src/http/peer.ts',
  'src/import/cinder/mysql-session.ts',
  'src/import/cinder/postgresql-session.ts',
  'src/import/map/map-cinder.ts',
  'src/lib/recurring-times.ts',
  'src/metrics/listener.ts',
  'src/metrics/metrics.ts',
  'src/traces/make-tracing.ts',
];

describe('pumice serve', () => {
  test('loads only what it uses: no part or client for what it does not have, no compiler before a body comes', () =>
    withPumice(async ({ directory, runWith }) => {
      const [hook, list] = [join(directory, 'hook.mjs'), join(directory, 'loaded')];
      await writeFile(hook, LISTS_WHAT_IS_LOADED);
      const env = { NODE_OPTIONS: `--import ${hook}`, LOADED: list };
      const loaded = async (body: boolean): Promise<readonly string[]> => {
        const pumice = runWith(env, 'serve', '--data', directory, '--set', 'api.port=0');
        const address = await pumice.address();
        await ask(address, 'GET', '/volumes');
        if (body) await ask(address, 'POST', '/volumes', { volume: { size: 1 } });
        pumice.signal('SIGTERM');
        assert.equal((await pumice.ended()).code, 0);
        return (await readFile(list, 'utf8')).split('\n');
      };
      const atFirst = await loaded(false);
      for (const name of ['fastify', 'kysely', 'src/wiring.ts', 'NativeModule _http_server'])
        assert.ok(atFirst.includes(name), name);
      assert.deepEqual(
        FILES_OF_OTHERS.filter((file) => !existsSync(file)),
        [],
      );
      const tooMuch = [
        'typebox',
        'ajv',
        '@fastify/ajv-compiler',
        '@fastify/fast-json-stringify-compiler',
        'pg',
        'amqplib',
        'mysql2',
        ...FILES_OF_OTHERS,
        // Node's own fetch, which an import of node:http brings along, and what it brings.
        'NativeModule internal/deps/undici/undici',
        'NativeModule zlib',
      ];
      assert.deepEqual(
        tooMuch.filter((name) => atFirst.includes(name)),
        [],
      );
      assert.ok((await loaded(true)).includes('ajv'));
    }));

  test('ends with 0 on SIGINT, twice at once too, and finds its data when it starts again', () =>
    withPumice(async (bench) => {
      const first = serve(bench);
      const { volume } = await ask(await first.address(), 'POST', '/volumes', { volume: { size: 1, name: 'kept' } });
      first.signal('SIGINT');
      first.signal('SIGINT');
      const { code, err } = await first.ended();
      assert.equal(code, 0, err);
      for (const line of err.trim().split('\n')) assert.equal(typeof JSON.parse(line).msg, 'string');

      const second = serve(bench);
      const address = await second.address();
      await waitFor(
        async () => (await ask(address, 'GET', '/volumes/detail')).volumes?.[0]?.status === 'available',
        'the volume is available',
      );
      assert.deepEqual(
        (await ask(address, 'GET', '/volumes')).volumes?.map(({ id }) => id),
        [volume?.id],
      );
      second.signal('SIGTERM');
      assert.equal((await second.ended()).code, 0);
    }));

  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    test(`leaves one whole file when ${signal} ends it`, () =>
      withPumice(async (bench) => {
        const pumice = serve(bench);
        const address = await pumice.address();
        for (const name of ['a', 'b', 'c']) await ask(address, 'POST', '/volumes', { volume: { size: 1, name } });
        pumice.signal(signal);
        assert.equal((await pumice.ended()).code, 0);
        assert.deepEqual(
          (await readdir(bench.directory)).filter((name) => /^pumice\.sqlite-/.test(name)),
          [],
        );
        // Nothing beside the file is needed: a plain copy of it is the database.
        const copy = join(bench.directory, 'copy');
        await copyFile(join(bench.directory, 'pumice.sqlite'), copy);
        const database = new DatabaseSync(copy, { readOnly: true });
        try {
          assert.deepEqual(
            database
              .prepare('SELECT name FROM volume ORDER BY name')
              .all()
              .map(({ name }) => name),
            ['a', 'b', 'c'],
          );
        } finally {
          database.close();
        }
      }));
  }

  test('starts again after SIGKILL, with nothing to clean', () =>
    withPumice(async (bench) => {
      const first = serve(bench);
      const address = await first.address();
      await Promise.all([1, 2, 3].map((size) => ask(address, 'POST', '/volumes', { volume: { size } })));
      first.signal('SIGKILL');
      assert.equal((await first.ended()).code, null);

      const again = await serve(bench).address();
      await waitFor(
        async () =>
          (await ask(again, 'GET', '/volumes/detail')).volumes?.every(({ status }) => status === 'available') ?? false,
        'every volume is available',
      );
      const doctor = await bench.run('doctor', '--data', bench.directory).ended();
      assert.deepEqual(
        [doctor.code, doctor.out.trim().split('\n').at(-1)],
        [0, 'All is well.'],
        doctor.out + doctor.err,
      );
    }));

  test('lets no second server into its data, and names what holds it', () =>
    withPumice(async (bench) => {
      await serve(bench).address();
      const { code, err } = await serve(bench).ended();
      assert.equal(code, 1);
      assert.match(err, /^pumice: Another Pumice server uses the database .*pumice\.sqlite \(it holds .*\.lock\)\.\n$/);
    }));

  test('says in a line that its port is in use', () =>
    withPumice(async ({ directory, run }) => {
      const other = createServer().listen(0, '127.0.0.1');
      await once(other, 'listening');
      try {
        const { port } = other.address() as { port: number };
        const { code, err } = await run(
          'serve',
          '-d',
          directory,
          '--set',
          `api.port=${port}`,
          '--set',
          'log.level=error',
        ).ended();
        assert.equal(code, 1);
        assert.match(err, new RegExp(`^pumice: Port ${port} of 127.0.0.1 is in use\\.[^\\n]*\\n$`));
      } finally {
        other.close();
      }
    }));

  test('refuses a configuration it does not understand, and names the nearest word it knows', () =>
    withPumice(async ({ directory, run }) => {
      const file = join(directory, 'p.toml');
      await writeFile(file, '[api]\nprot = 1\n');
      const { code, err, out } = await run('serve', '--config', file).ended();
      assert.deepEqual([code, out], [2, '']);
      assert.match(err, /api\.prot is not known; did you mean port\?/);
      assert.equal(existsSync(join(directory, 'pumice-data')), false);
    }));
});

describe('the command line', () => {
  test('tells the exit codes apart', () =>
    withPumice(async ({ directory, run }) => {
      const results = await Promise.all(
        [
          ['--help'],
          ['flows', 'list', '--help'],
          ['sevre'],
          ['serve', '--port', '1'],
          ['flows', 'list', '--state', 'lost'],
          ['flows', 'list', '--data', directory],
          ['doctor', '--data', directory],
          ['groups', 'list', '--status', 'lost', '--data', directory],
          ['volumes', 'show', 'x', '--data', directory],
        ].map((args) => run(...args).ended()),
      );
      assert.deepEqual(
        results.map(({ code }) => code),
        [0, 0, 2, 2, 2, 1, 1, 2, 1],
      );
      assert.match(results[2]?.err ?? '', /Did you mean serve\?/);
      assert.match(results[5]?.err ?? '', /^pumice: There is no database at .*pumice\.sqlite\.\n$/);
    }));

  test('is called by a link, from anywhere', () =>
    withPumice(async ({ directory }) => {
      const link = join(directory, 'pumice');
      await symlink(join(import.meta.dirname, '..', '..', 'bin', 'pumice'), link);
      const { stdout } = await promisify(execFile)(link, ['--version'], { cwd: directory });
      assert.match(stdout, /^\d+\.\d+\.\d+\n$/);
    }));

  test('shows flows and takes wishes beside a running server, and without one', () =>
    withPumice(async (bench) => {
      const { directory, run } = bench;
      const server = serve(bench);
      const address = await server.address();
      const { volume } = await ask(address, 'POST', '/volumes', { volume: { size: 1 } });
      await waitFor(
        async () => (await ask(address, 'GET', '/volumes/detail')).volumes?.[0]?.status === 'available',
        'it is available',
      );
      const flows = async (...args: string[]) => run('flows', ...args, '--data', directory).ended();

      const listed = JSON.parse((await flows('list', '--all', '--resource', volume?.id ?? '', '--json')).out);
      assert.deepEqual(
        listed.map(({ name, state }: { name: string; state: string }) => [name, state]),
        [['create_volume', 'success']],
      );
      const id: string = listed[0].id;
      const shown = await flows('show', id.slice(0, 6));
      assert.match(shown.out, /^create_volume {2}success in /);
      assert.equal((await flows('show', 'ffff')).code, 1);

      const resources = async (...args: string[]) => run(...args, '--data', directory).ended();
      assert.match((await resources('volumes', 'list')).out, new RegExp(`^${volume?.id} +available +1 GiB `, 'm'));
      assert.match(
        (await resources('volumes', 'show', volume?.id.slice(0, 13) ?? '')).out,
        new RegExp(`Nothing works on it\\. create_volume ${id.slice(0, 18)} ended .+ ago: success`),
      );

      const late = await flows('cancel', id, '--wait');
      assert.deepEqual([late.code, late.err], [1, `pumice: Flow ${id} has ended: success.\n`]);
      server.signal('SIGINT');
      await server.ended();
      assert.equal((await flows('list', '--all')).code, 0);
      assert.equal((await resources('volumes', 'list')).code, 0);
      assert.deepEqual((await resources('snapshots', 'list')).out, 'There is no snapshot.\n');
      assert.deepEqual((await resources('groups', 'list')).out, 'There is no group.\n');
      const resumed = await flows('resume', id);
      assert.deepEqual([resumed.code, resumed.err], [1, `pumice: Flow ${id} has ended: success.\n`]);
    }));
});

describe('a flow that takes long', () => {
  test('is shown while it runs, and cancelled from another process', () =>
    withPumice(async ({ directory, run, runWith }) => {
      const programs = join(directory, 'programs');
      await mkdir(programs);
      for (const name of ['cp', 'qemu-img'])
        await writeFile(join(programs, name), '#!/bin/sh\nexec sleep 600\n', { mode: 0o755 });
      const data = join(directory, 'data');
      const env = { PATH: `${programs}${delimiter}${process.env.PATH}` };
      const server = runWith(env, 'serve', '--data', data, '--set', 'api.port=0', '--set', 'log.level=warn');
      const address = await server.address();
      const source = (await ask(address, 'POST', '/volumes', { volume: { size: 1 } })).volume?.id;
      const status = async (id: string | undefined) =>
        (await ask(address, 'GET', '/volumes/detail')).volumes?.find((each) => each.id === id)?.status;
      await waitFor(async () => (await status(source)) === 'available', 'the source is available');
      // What takes little space is cloned without a program, where it can be.
      const [file = ''] = globSync(join(data, '**', `volume-${source}`));
      await promisify(execFile)('fallocate', ['-l', '17MiB', file]);
      const clone = (await ask(address, 'POST', '/volumes', { volume: { size: 1, source_volid: source } })).volume?.id;

      const flows = async (...args: string[]) => run('flows', ...args, '--data', data).ended();
      const [flow] = JSON.parse((await flows('list', '--resource', `volume:${clone}`, '--json')).out);
      assert.equal(flow.state, 'running');
      assert.match((await flows('show', flow.id)).out, /▸ make\/create_volume_from_spec {2}for \d+ s/);
      const cancelled = await flows('cancel', flow.id.slice(0, 18), '--reason', 'took too long', '--wait');
      assert.deepEqual([cancelled.code, cancelled.err], [0, '']);
      assert.match(cancelled.out, /It is reverted now\.\n$/);
      assert.equal(await status(clone), 'error');
      assert.match((await flows('show', flow.id)).out, /Cancelled: took too long/);
      server.signal('SIGINT');
      assert.equal((await server.ended()).code, 0);
    }));
});

/** What a project has. */
async function everything(address: string) {
  const { volumes = [] } = await ask(address, 'GET', '/volumes/detail');
  const { snapshots = [] } = await ask(address, 'GET', '/snapshots');
  const { groups = [] } = await ask(address, 'GET', '/groups/detail');
  const { group_snapshots: groupSnapshots = [] } = await ask(address, 'GET', '/group_snapshots/detail');
  return { volumes, snapshots, groups, groupSnapshots };
}

const idsOf = (all: Readonly<Record<string, readonly { readonly id: string }[]>>): readonly string[] =>
  Object.values(all).flatMap((each) => each.map(({ id }) => id));

describe('pumice start', () => {
  const start = ({ directory, run }: Bench, ...args: readonly string[]) =>
    run('start', '--port', '0', '--data', directory, ...args);

  test('shows the main job, stays up, ends well; and finds again what it made', () =>
    withPumice(async (bench) => {
      const first = start(bench);
      await first.says(/It stays up/);
      const made = await everything(await first.address());
      const { pools } = await ask(await first.address(), 'GET', '/scheduler-stats/get_pools?detail=true');
      first.signal('SIGINT');
      const { code, out, err } = await first.ended();
      assert.equal(code, 0, err);
      const acts = [...out.matchAll(/^( \d|\d\d) {2}(.*)$/gm)].map(([, , title]) => title?.split(':')[0]);
      assert.deepEqual(acts, [
        'A blank volume',
        'A volume from an image',
        'A snapshot of from-image',
        'A volume from the snapshot',
        'A clone of from-image',
        `A retype of clone to a type of backend ${out.includes('is of type on-east') ? 'east' : 'west'}`,
        'A file that was there already, brought in as a snapshot of blank',
        'A group, for volumes that are snapshotted together',
        'A volume in the group',
        'Another volume in the group',
        'A snapshot of the group',
        'A create whose backend fails',
      ]);
      assert.match(out, /copy_image_to_volume +\d+ ms|copy_image_to_volume +<1 ms|copy_image_to_volume +[\d.]+ s/);
      assert.match(
        out,
        /· switch_volume\n +✓ remove_old .*\n(.*\n)+? {3}= volume \S+ is of type on-(\S+) on pumice@\2#\2/,
      );
      assert.match(out, /✗ create_volume_from_spec +failed\n +DriverNotInitialized: /);
      assert.match(out, /attempt 1 on pumice@(east|west)#\1 is over/);
      // As the pools say of themselves, and no more.
      const oneMoment = pools?.some(({ capabilities }) => capabilities.consistent_group_snapshot_enabled);
      assert.ok(
        out.includes(oneMoment ? 'both volumes in one moment' : 'one volume after the other (no reflinks here)'),
      );
      assert.ok(!out.includes('\u001B'), 'a pipe is not coloured');
      assert.equal(out.match(/is available/g)?.length, 11);

      const second = start(bench);
      await second.says(/It stays up/);
      const address = await second.address();
      assert.deepEqual(idsOf(await everything(address)), idsOf(made));
      const doctor = await bench.run('doctor', '--data', bench.directory).ended();
      assert.equal(doctor.code, 0, doctor.out);
      second.signal('SIGINT');
      assert.match(
        (await second.ended()).out,
        /Found again: 7 volumes, 4 snapshots, 1 group, 1 group snapshot\n[\s\S]* is gone after/,
      );
    }));

  for (const [act, said] of [
    ['a snapshot', / 3 {2}A snapshot/],
    ['a retype', /A retype of [\s\S]*action → 202/],
    ['a group snapshot', /A snapshot of the group/],
  ] as const)
    test(`goes on after SIGKILL in the middle of ${act}, and gives back a directory that was taken away`, () =>
      withPumice(async (bench) => {
        const first = start(bench);
        await first.says(said);
        first.signal('SIGKILL');
        await first.ended();
        renameSync(join(bench.directory, 'east'), join(bench.directory, 'east.taken-away'));

        const second = start(bench);
        await second.says(/It stays up/);
        const { volumes, snapshots, groups, groupSnapshots } = await everything(await second.address());
        assert.deepEqual(volumes.map(({ name, status }) => `${name} ${status}`).sort(), [
          'blank available',
          'clone available',
          'from-image available',
          'from-snapshot available',
          'pair-data available',
          'pair-log available',
          'rescheduled available',
        ]);
        assert.match(volumes.find(({ name }) => name === 'clone')?.volume_type ?? '', /^on-(east|west)$/);
        const names = ['brought-along', 'pair-snapshot', 'pair-snapshot', 'snapshot'];
        assert.deepEqual(snapshots.map(({ name }) => name).sort(), names);
        assert.deepEqual(
          [...groups, ...groupSnapshots].map(({ name, status }) => `${name} ${status}`),
          ['pair available', 'pair-snapshot available'],
        );
        // A look at the backend that came while the demonstration had its directory has failed; the next ends that.
        await waitFor(
          async () => (await bench.run('doctor', '--data', bench.directory).ended()).code === 0,
          'the doctor finds nothing',
        );
      }));

  test('makes anew what has ended in error, in a group too', () =>
    withPumice(async (bench) => {
      const first = start(bench);
      await first.says(/It stays up/);
      const address = await first.address();
      const made = await everything(address);
      await ask(address, 'DELETE', `/group_snapshots/${made.groupSnapshots[0]?.id}`);
      await waitFor(async () => (await everything(address)).groupSnapshots.length === 0, 'the group snapshot is gone');
      const broken = made.volumes.find(({ name }) => name === 'pair-log')?.id;
      await ask(address, 'POST', `/volumes/${broken}/action`, { 'os-reset_status': { status: 'error' } });
      first.signal('SIGINT');
      await first.ended();

      const second = start(bench);
      await second.says(/It stays up/);
      second.signal('SIGINT');
      const { out } = await second.ended();
      const acts = [...out.matchAll(/^ \d {2}(.*)$/gm)].map(([, title]) => title?.split(':')[0]);
      assert.deepEqual(acts, ['Another volume in the group', 'A snapshot of the group']);
    }));

  test('finds again what somebody has attached since, and waits for nobody', () =>
    withPumice(async (bench) => {
      const first = start(bench);
      await first.says(/It stays up/);
      const address = await first.address();
      for (const { id } of (await everything(address)).volumes) {
        const attachment = { volume_uuid: id, connector: { host: hostname() } };
        const answer = await ask(address, 'POST', '/attachments', { attachment });
        await ask(address, 'POST', `/attachments/${answer.attachment?.id}/action`, { 'os-complete': null });
      }
      first.signal('SIGINT');
      await first.ended();

      const second = start(bench);
      await second.says(/It stays up/);
      second.signal('SIGINT');
      const { out } = await second.ended();
      assert.match(out, /Found again: 7 volumes/);
    }));

  test('says what it cannot show without qemu-img, and shows the rest', () =>
    withPumice(async (bench) => {
      const programs = join(bench.directory, 'programs');
      await mkdir(programs);
      for (const program of ['cp', 'sync', 'rm', 'mv', 'truncate', 'prlimit', 'fallocate', 'stat']) {
        const found = (process.env.PATH ?? '')
          .split(delimiter)
          .map((each) => join(each, program))
          .find((path) => existsSync(path));
        if (found !== undefined) await symlink(found, join(programs, program));
      }
      const pumice = bench.runWith({ PATH: programs }, 'start', '--port', '0', '--data', join(bench.directory, 'data'));
      await pumice.says(/It stays up/);
      pumice.signal('SIGINT');
      const { code, out } = await pumice.ended();
      assert.equal(code, 0);
      assert.match(out, /A volume from an image\n +not shown: qemu-img is not installed/);
      assert.equal(out.match(/is available/g)?.length, 10);
    }));

  test('only serves when it is told so, on a configuration that can be read and served', () =>
    withPumice(async (bench) => {
      const pumice = start(bench, '--no-demo', '--set', 'quota.quota_volumes=3');
      await pumice.says(/It stays up/);
      assert.deepEqual((await ask(await pumice.address(), 'GET', '/volumes')).volumes, []);
      pumice.signal('SIGTERM');
      assert.equal((await pumice.ended()).code, 0);
      const config = join(bench.directory, 'pumice.toml');
      assert.match(await readFile(config, 'utf8'), /\[backends\.east\]/);
      const served = bench.run('serve', '--config', config, '--set', 'api.port=0');
      await served.address();
      served.signal('SIGINT');
      assert.equal((await served.ended()).code, 0);
    }));
});
