/**
 * `npm run prove:moving`: a living Cinder (Debian's API, scheduler and cinder-volume, on Ceph) becomes Pumice and goes back, by the commands of
 * `docs/moving-in.md`. A guest of QEMU's has a volume for its disk and writes all the while, from before the first turn until after the second, and
 * beside it a client of librbd has another one open, which keeps many writes under way: each block that was answered is there in the end. What clients do meanwhile is done in both services, each with what the other has made. It takes some minutes.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import { describe, type TestContext, test } from 'node:test';
import { noRbd, sharedCeph } from '../ceph-cluster.ts';
import { condition } from '../crash/condition.ts';
import { makePool } from '../drivers/rbd/rbd-world.ts';
import { noRabbitmq, startRabbitmq } from '../events/rabbitmq-server.ts';
import { freePort } from '../free-port.ts';
import { PROJECT, USER } from '../import/cinder-rows.ts';
import { type CinderWorld, cinderWorld } from '../import/cinder-world.ts';
import { noCinder, startCinder } from './real-cinder.ts';

const MAIN = join(import.meta.dirname, '../../src/main.ts');
const PATIENCE_MS = 120_000;
const WRITER = 'cinder_of_old';
const PASSWORD = 'planted-password';

// biome-ignore lint/suspicious/noExplicitAny: tests read answers of every shape
type Answer = any;

/** A service of the Block Storage API, whichever it is. */
class Service {
  readonly #address: string;

  constructor(address: string) {
    this.#address = address;
  }

  async ask(method: string, path: string, body?: object): Promise<Answer> {
    const headers = {
      'content-type': 'application/json',
      'x-auth-token': `${USER}:${PROJECT}`,
      'openstack-api-version': 'volume 3.70',
    };
    const answer = await fetch(`${this.#address}/v3/${PROJECT}${path}`, {
      method,
      headers,
      ...(body && { body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
    return text === '' ? {} : JSON.parse(text);
  }

  isReady(): Promise<void> {
    return condition('its backend is there', PATIENCE_MS, async () => {
      const { pools } = await this.ask('GET', '/scheduler-stats/get_pools').catch(() => ({ pools: [] }));
      return pools.length > 0;
    });
  }

  async make(volume: object): Promise<string> {
    const { id } = (await this.ask('POST', '/volumes', { volume: { size: 1, ...volume } })).volume;
    await this.rests('volume', id);
    return id;
  }

  async takeSnapshot(volume: string): Promise<string> {
    const { id } = (await this.ask('POST', '/snapshots', { snapshot: { volume_id: volume, force: true } })).snapshot;
    await this.rests('snapshot', id);
    return id;
  }

  /** By a machine that is no server of Nova's. */
  async attach(volume: string, host: string): Promise<{ readonly id: string; readonly image: string }> {
    const connector = {
      host,
      ip: '127.0.0.1',
      initiator: `iqn.2004-10.test:${host}`,
      platform: 'x86_64',
      os_type: 'linux2',
    };
    const asked = { attachment: { volume_uuid: volume, connector } };
    const { attachment } = await this.ask('POST', '/attachments', asked);
    await this.ask('POST', `/attachments/${attachment.id}/action`, { 'os-complete': {} });
    await this.rests('volume', volume, 'in-use');
    return { id: attachment.id, image: attachment.connection_info.name };
  }

  async detach(attachment: string, volume: string): Promise<void> {
    await this.ask('DELETE', `/attachments/${attachment}`);
    await this.rests('volume', volume);
  }

  async extend(volume: string, size: number): Promise<void> {
    await this.ask('POST', `/volumes/${volume}/action`, { 'os-extend': { new_size: size } });
    await this.rests('volume', volume);
    assert.equal((await this.ask('GET', `/volumes/${volume}`)).volume.size, size);
  }

  async remove(kind: 'volume' | 'snapshot', id: string): Promise<void> {
    await this.ask('DELETE', `/${kind}s/${id}`);
    await condition(`${kind} ${id} is gone`, PATIENCE_MS, async () => !(await this.#ids(`/${kind}s`)).includes(id));
  }

  rests(kind: 'volume' | 'snapshot', id: string, as = 'available'): Promise<void> {
    return condition(`${kind} ${id} is ${as}`, PATIENCE_MS, async () => {
      const { status } = (await this.ask('GET', `/${kind}s/${id}`))[kind];
      if (/error/.test(status)) throw new Error(`${kind} ${id} is ${status}.`);
      return status === as;
    });
  }

  async everything(): Promise<object> {
    return {
      volumes: (await this.ask('GET', '/volumes/detail?sort=id')).volumes.map(
        ({ id, name, status, size, metadata, attachments }: Answer) => ({
          id,
          name,
          status,
          size,
          metadata,
          // Cinder's times have whole seconds.
          attachments: attachments.map((each: Answer) => ({ ...each, attached_at: each.attached_at.slice(0, 19) })),
        }),
      ),
      snapshots: (await this.ask('GET', '/snapshots/detail?sort=id')).snapshots.map(
        ({ id, volume_id, status, size }: Answer) => ({ id, volume_id, status, size }),
      ),
      attachments: (await this.ask('GET', '/attachments')).attachments.map(({ id, status, volume_id }: Answer) => ({
        id,
        status,
        volume_id,
      })),
      used: (await this.ask('GET', `/os-quota-sets/${PROJECT}?usage=true`)).quota_set.gigabytes.in_use,
    };
  }

  async #ids(path: string): Promise<readonly string[]> {
    return (await this.ask('GET', path))[path.slice(1)].map(({ id }: Answer) => id);
  }
}

interface Told {
  readonly answered: number;
  readonly refused: number;
  readonly lost: number;
  readonly longest_ms: number;
  readonly blocks?: number;
  /** Of the blocks that were read again when it was closed; a client's are among `lost`. */
  readonly lost_in_the_end?: number;
}

/** Who has an image open: a program that writes, and tells so when it is asked by a line. */
class Writer {
  readonly #child: ChildProcess;
  readonly #lines: Interface;
  /** How many writes prove that it goes on. */
  readonly #some: number;

  private constructor(some: number, program: string, argv: readonly string[]) {
    this.#some = some;
    this.#child = spawn('setpriv', ['--pdeathsig', 'KILL', program, ...argv], { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#lines = createInterface({ input: this.#child.stdout as NodeJS.ReadableStream });
  }

  static client(conf: string, pool: string, image: string): Writer {
    const file = join(import.meta.dirname, 'open-image.py');
    return new Writer(100, '/usr/bin/python3', ['-B', file, conf, 'cinder', pool, image]);
  }

  /** Its kernel and what it runs (`guest-disk.sh`) are of `scripts/prove-moving.sh`. Resolves when it writes. */
  static async guest(conf: string, pool: string, image: string): Promise<Writer> {
    const { GUEST_KERNEL = '', GUEST_INITRD = '' } = process.env;
    const guest = new Writer(10, 'qemu-system-x86_64', [
      ...['-nodefaults', '-no-reboot', '-display', 'none', '-machine', 'pc,accel=tcg', '-cpu', 'max', '-m', '256'],
      ...['-kernel', GUEST_KERNEL, '-initrd', GUEST_INITRD, '-append', 'console=ttyS0 quiet panic=-1 mitigations=off'],
      ...['-serial', 'null', '-serial', 'stdio'],
      ...['-drive', `file=rbd:${pool}/${image}:id=cinder:conf=${conf},format=raw,if=virtio,cache=none`],
    ]);
    const [said] = await once(guest.#lines, 'line');
    assert.equal(said, 'ready');
    return guest;
  }

  /** What was answered until now: all of it is there, and more comes. */
  async goesOn(): Promise<void> {
    const before = await this.#ask('told');
    await condition('it writes on', PATIENCE_MS, async () => {
      const { answered, refused, lost } = await this.#ask('told');
      assert.deepEqual({ refused, lost }, { refused: 0, lost: 0 });
      return answered >= before.answered + this.#some;
    });
  }

  async close(): Promise<Told> {
    const ended = once(this.#child, 'close');
    const told = await this.#ask('close');
    await ended;
    return told;
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }

  async #ask(what: 'told' | 'close'): Promise<Told> {
    const line = once(this.#lines, 'line');
    this.#child.stdin?.write(`${what}\n`);
    return JSON.parse(String((await line)[0])) as Told;
  }
}

/** `pumice …` to its end: the exit code, and what it said. */
async function pumice(...argv: readonly string[]): Promise<readonly [number | null, string]> {
  const child = spawn(process.execPath, [MAIN, ...argv], { stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => {
      said += text;
    });
  const [code] = (await once(child, 'close')) as [number | null];
  return [code, said];
}

async function succeeds(...argv: readonly string[]): Promise<string> {
  const [code, said] = await pumice(...argv);
  assert.equal(code, 0, `pumice ${argv.join(' ')}: ${said}`);
  return said;
}

/** The service, until it is stopped. */
async function serve(argv: readonly string[], port: number): Promise<{ service: Service; stop(): Promise<void> }> {
  const wrapped = ['--pdeathsig', 'KILL', process.execPath, MAIN, 'serve', ...argv];
  const child = spawn('setpriv', wrapped, { stdio: ['ignore', 'ignore', 'inherit'] });
  const ended = once(child, 'exit');
  const service = new Service(`http://127.0.0.1:${port}`);
  const stop = async (): Promise<void> => {
    child.kill('SIGTERM');
    await ended;
  };
  await service.isReady().catch(async (error) => {
    await stop();
    throw error;
  });
  return { service, stop };
}

/** The user as which Cinder writes. */
async function cinderUser({ url, run }: CinderWorld) {
  const { pathname, port } = new URL(url);
  const on = `\`${pathname.slice(1)}\`.*`;
  await run(`CREATE OR REPLACE USER ${WRITER}@127.0.0.1 IDENTIFIED BY '${PASSWORD}'`);
  const mayWrite = () => run(`GRANT ALL PRIVILEGES ON ${on} TO ${WRITER}@127.0.0.1`);
  await mayWrite();
  return {
    connection: `mysql+pymysql://${WRITER}:${PASSWORD}@127.0.0.1:${port}${pathname}`,
    url: `mysql://${WRITER}@127.0.0.1:${port}${pathname}`,
    mayWrite,
    mayOnlyRead: async () => {
      await run(`REVOKE ALL PRIVILEGES ON ${on} FROM ${WRITER}@127.0.0.1`);
      await run(`GRANT SELECT ON ${on} TO ${WRITER}@127.0.0.1`);
    },
  };
}

const missing = noCinder || noRbd || noRabbitmq;

describe('a living Cinder on Ceph', { skip: missing }, () => {
  test('moves in and back under a guest that writes, and each side goes on with what the other has made', async (t: TestContext) => {
    const database = await cinderWorld('mysql');
    if ('missing' in database) return t.skip(database.missing);
    const directory = mkdtempSync(join(tmpdir(), 'pumice-prove-moving-'));
    t.after(async () => {
      await database.remove();
      rmSync(directory, { recursive: true });
    });
    const ceph = await sharedCeph();
    const pool = await makePool(ceph);
    const broker = await startRabbitmq();
    t.after(() => broker.stop());
    const user = await cinderUser(database);
    const rbd = [
      'volume_backend_name = rbd1',
      `rbd_pool = ${pool}`,
      'rbd_user = cinder',
      `rbd_ceph_conf = ${ceph.config}`,
    ];
    const begin = async () => {
      const cinder = await startCinder(user.connection, {
        transport: broker.url.replace('amqp://', 'rabbit://'),
        services: ['scheduler', 'volume'],
        more: {
          defaults: ['host = control1', 'enabled_backends = rbd1', 'default_volume_type = __DEFAULT__'],
          sections: ['[rbd1]', 'volume_driver = cinder.volume.drivers.rbd.RBDDriver', ...rbd],
        },
      });
      t.after(() => cinder.stop());
      const service = new Service(cinder.address);
      await service.isReady();
      return { ...cinder, service };
    };

    let cinder = await begin();
    const open = await cinder.service.make({ name: 'open', metadata: { kept: 'yes' } });
    const { image } = await cinder.service.attach(open, 'compute1');
    const booted = await cinder.service.make({ name: 'booted' });
    const disk = await cinder.service.attach(booted, 'compute3');
    const writers = [
      Writer.client(ceph.config, pool, image.replace(/^.*\//, '')),
      await Writer.guest(ceph.config, pool, disk.image.replace(/^.*\//, '')),
    ];
    t.after(() => {
      for (const writer of writers) writer.kill();
    });
    const goOn = () => Promise.all(writers.map((writer) => writer.goesOn()));
    await goOn();
    const [plain, attached, going] = [
      await cinder.service.make({ name: 'plain' }),
      await cinder.service.make({ name: 'attached' }),
      await cinder.service.make({ name: 'going' }),
    ];
    const theirs = await cinder.service.attach(attached, 'compute1');
    const early = await cinder.service.takeSnapshot(open);

    // What it prints is what is served with.
    const toml = join(directory, 'pumice.toml');
    const looked = JSON.parse(await succeeds('import', 'check', '--cinder-conf', cinder.conf, '--json'));
    assert.equal(looked.outcome, 'clean');
    writeFileSync(toml, looked.cinder_conf.toml);
    const port = await freePort();
    const ours = ['--config', toml];
    for (const set of [
      `data_directory=${directory}`,
      `database.url=sqlite:${join(directory, 'pumice.db')}`,
      `api.port=${port}`,
    ])
      ours.push('--set', set);
    await succeeds('import', 'run', '--cinder-conf', cinder.conf, ...ours);
    await cinder.service.remove('volume', going);
    const late = await cinder.service.make({ name: 'late' });

    // The turn.
    const told = await cinder.service.everything();
    const conf = join(directory, 'cinder.conf');
    writeFileSync(conf, `[database]\nconnection = ${user.connection}\n`);
    await cinder.stop();
    const [refused, why] = await pumice('import', 'turn', '--cinder-conf', conf, ...ours);
    assert.notEqual(refused, 0);
    assert.match(why, /may still write/);
    await user.mayOnlyRead();
    assert.match(await succeeds('import', 'turn', '--cinder-conf', conf, ...ours), /^Turned: /m);
    const here = await serve(ours, port);
    t.after(() => here.stop());
    assert.deepEqual(await here.service.everything(), told);
    await goOn();

    // What clients may do meanwhile.
    const shot = await here.service.takeSnapshot(open);
    await here.service.remove('snapshot', early);
    await here.service.ask('POST', `/volumes/${open}/metadata`, { metadata: { added: 'here' } });
    await here.service.detach(theirs.id, attached);
    await here.service.extend(attached, 2);
    await here.service.remove('volume', plain);
    const made = await here.service.make({ name: 'made here' });
    const lent = await here.service.make({ name: 'lent' });
    const ofOurs = await here.service.attach(lent, 'compute2');
    const clone = await here.service.make({ name: 'clone', snapshot_id: shot });
    const copy = await here.service.make({ name: 'copy', source_volid: made });
    await goOn();

    // And back.
    const before = await here.service.everything();
    await here.stop();
    await user.mayWrite();
    const secret = join(directory, 'password');
    writeFileSync(secret, `${PASSWORD}\n`, { mode: 0o600 });
    const back = ['export', user.url, '--password-file', secret, ...ours, '--to', 'cinder'];
    assert.match(await succeeds(...back), /^Written: /m);
    assert.match(await succeeds(...back), /^Written: nothing\.$/m);
    cinder = await begin();
    assert.deepEqual(await cinder.service.everything(), before);
    await goOn();

    // cinder-volume with what was made here, or changed.
    await cinder.service.detach(ofOurs.id, lent);
    await cinder.service.extend(lent, 3);
    await cinder.service.extend(made, 2);
    await cinder.service.extend(clone, 2);
    const second = await cinder.service.takeSnapshot(open);
    await cinder.service.takeSnapshot(made);
    const third = await cinder.service.make({ name: 'of both', snapshot_id: second });
    for (const volume of [third, clone, copy, lent, late, attached]) await cinder.service.remove('volume', volume);
    for (const snapshot of [shot, second]) await cinder.service.remove('snapshot', snapshot);
    await goOn();
    const { volumes } = (await cinder.service.everything()) as Answer;
    assert.deepEqual(volumes.map(({ id }: Answer) => id).sort(), [open, booted, made].sort());

    for (const writer of writers) {
      const {
        answered,
        refused,
        lost,
        lost_in_the_end: inTheEnd = 0,
        longest_ms: longest,
        blocks,
      } = await writer.close();
      t.diagnostic(`${answered} writes answered, ${blocks} blocks read again; the longest took ${longest} ms`);
      assert.deepEqual({ refused, lost, inTheEnd }, { refused: 0, lost: 0, inTheEnd: 0 });
    }
    await cinder.stop();
  });
});
