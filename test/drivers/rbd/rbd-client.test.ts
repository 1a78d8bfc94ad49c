/** The helper in which librbd works, and the client that keeps it: killed, frozen, fenced, and a cluster that does not answer. */
import assert from 'node:assert/strict';
import { after, before, describe, it, type TestContext } from 'node:test';
import { RbdClient } from '../../../src/drivers/rbd/rbd-client.ts';
import { pause } from '../../../src/lib/clock.ts';
import { exec } from '../../../src/lib/exec.ts';
import { BackendUnanswered, DriverNotInitialized } from '../../../src/model/errors.ts';
import { type CephCluster, noRbd, sharedCeph } from '../../ceph-cluster.ts';
import { calm } from '../driver-world.ts';
import { Helpers } from './helpers-begun.ts';
import { ImageClient } from './image-client.ts';
import { makePool } from './rbd-world.ts';

const GIB = 1024 ** 3;
const { signal } = calm();
const DEADLINE_MS = 60_000;
/** Answers of its OSD reach it late, so that it is met in the middle. */
const SLOW = ['ms_inject_delay_type=osd', 'ms_inject_delay_max=0.05', 'ms_inject_delay_probability=1'];

describe('the client of a Ceph pool', { skip: noRbd }, () => {
  let ceph: CephCluster;
  let pool: string;
  before(async () => {
    ceph = await sharedCeph();
    pool = await makePool(ceph);
  });
  after(() => ceph.run('ceph', 'osd', 'pool', 'rm', pool, pool, '--yes-i-really-really-mean-it'));

  /** With the process ids of its helpers, as they are begun. */
  async function clientOf(
    t: TestContext,
    more: { patienceMs?: number; limitMs?: number; options?: readonly string[] } = {},
  ) {
    const { patienceMs = 15_000, options = [], ...limit } = more;
    const helpers = new Helpers();
    const address = { conf: ceph.config, user: 'cinder', cluster: 'ceph', pool, options };
    const client = new RbdClient({ exec: helpers.exec, address, patienceMs, ...limit });
    t.after(() => client.stop());
    const hello = await client.start(signal);
    const ask = (op: string, args: Readonly<Record<string, unknown>> = {}, about: readonly string[] = []) =>
      client.ask({ op, args, about }, { signal });
    return { client, helpers, hello, ask };
  }

  it('does what it is asked, and tells an error with its number', async (t) => {
    const { ask, hello } = await clientOf(t);
    assert.match(hello.address, /^127\.0\.0\.1:0\/\d+$/);
    assert.equal(hello.fsid, ceph.fsid);
    await ask('create', { name: 'one', size: GIB });
    assert.partialDeepStrictEqual(await ask('look', { name: 'one' }), { is: 'whole', bytes: GIB, snapshots: [] });
    await assert.rejects(ask('resize', { name: 'none', size: GIB }), { name: 'RbdFailed', what: 'missing' });
    await ask('remove', { name: 'one' });
    assert.deepEqual(await ask('look', { name: 'one' }), { is: 'absent' });
  });

  it('goes on with another helper when one is killed, which has fenced it, and asks again', async (t) => {
    const { ask, helpers, hello } = await clientOf(t, { options: SLOW });
    for (const round of [1, 2, 3]) {
      const name = `killed-${round}`;
      const made = ask('create', { name, size: GIB }, [name]);
      await pause(40 * round, signal);
      helpers.kill();
      await made;
      assert.partialDeepStrictEqual(await ask('look', { name }), { is: 'whole', bytes: GIB });
      await ask('remove', { name });
    }
    assert.equal(helpers.begun, 4);
    const entries = await ceph.run('ceph', 'osd', 'blocklist', 'ls');
    assert.ok(entries.includes(hello.address), `${hello.address} in ${entries}`);
  });

  it('says so when its helper is killed again and again', async (t) => {
    const { ask, helpers } = await clientOf(t, { options: SLOW });
    helpers.killOnSight = true;
    helpers.kill();
    await assert.rejects(ask('create', { name: 'hopeless', size: GIB }), DriverNotInitialized);
    helpers.killOnSight = false;
    assert.partialDeepStrictEqual(await ask('look', { name: 'hopeless' }), {});
    await ask('remove', { name: 'hopeless' });
  });

  it('ends a helper that is frozen, and goes on with another', async (t) => {
    // A probe of the cluster, which is well, is in time by that also on a busy machine.
    const { ask, helpers } = await clientOf(t, { patienceMs: 2_500 });
    helpers.freeze();
    await assert.rejects(ask('list'), DriverNotInitialized);
    await eventually(() => ask('stats'));
    assert.ok(Array.isArray(((await ask('list')) as { images: unknown }).images));
    assert.equal(helpers.begun, 2);
  });

  it('goes on with another helper when one hangs in a call while the cluster answers, and does nothing else', async (t) => {
    const { ask, helpers } = await clientOf(t, { patienceMs: 3_000, limitMs: 3_000 });
    await ask('create', { name: 'held', size: GIB });
    const holder = new ImageClient(ceph.config, pool, 'held', GIB);
    t.after(() => holder.close());
    await holder.write(0, Buffer.alloc(512, 1));
    holder.freeze();
    // The lock is broken after half a minute at the earliest.
    await assert.rejects(
      ask('create_snapshot', { name: 'held', snapshot: 'one', size: GIB }, ['held']),
      BackendUnanswered,
    );
    assert.partialDeepStrictEqual(await ask('probe', { name: 'held' }, ['held']), { is: 'present' });
    assert.equal(helpers.begun, 2);
  });

  for (const daemon of ['osd', 'mon'] as const) {
    it(`waits for no cluster whose ${daemon} is frozen, sends it nothing more, and finds it back with all ended well`, async (t) => {
      const { client, ask } = await clientOf(t, { patienceMs: 700 });
      t.after(() => ceph.thaw(daemon));
      ceph.freeze(daemon);
      const names = Array.from({ length: 20 }, (_, index) => `frozen-${index}`);
      // Without a new map an image needs no monitor; a probe does.
      const asked = names.map((name) =>
        ask(
          daemon === 'osd' ? 'create' : 'fence',
          daemon === 'osd' ? { name, size: GIB } : { address: `127.0.0.1:0/${name.length}` },
          [name],
        ),
      );
      const outcomes = await Promise.allSettled(asked);
      const reasons = outcomes.map((outcome) => (outcome.status === 'rejected' ? outcome.reason : undefined));
      for (const reason of reasons) assert.ok(reason instanceof BackendUnanswered);
      assert.ok(client.isSilent);
      const begun = performance.now();
      await assert.rejects(ask('list'), BackendUnanswered);
      assert.ok(performance.now() - begun < 200, 'it is told at once');
      await assert.rejects(client.ask({ op: 'list' }, { signal: AbortSignal.abort(new Error('no')) }), {
        message: 'no',
      });
      ceph.thaw(daemon);
      await eventually(() => ask('stats'));
      if (daemon === 'mon') return;
      for (const name of names) {
        // What had been sent goes on; the next call about the image waits for it.
        await client.ask({ op: 'remove', args: { name }, about: [name] }, { signal });
        assert.deepEqual(await ask('look', { name }), { is: 'absent' });
      }
    });
  }

  it('ends a call soon when it is aborted, and lets the next about that image wait for it', async (t) => {
    const { client, ask } = await clientOf(t, { options: SLOW });
    const order = { op: 'create', args: { name: 'aborted', size: GIB }, about: ['aborted'] };
    const stop = new AbortController();
    const made = client.ask(order, { signal: stop.signal });
    await pause(100, signal);
    const reason = new Error('not wanted');
    stop.abort(reason);
    await assert.rejects(made, reason);
    const other = client.ask({ op: 'look', args: { name: 'aborted' }, about: ['aborted'] }, { signal });
    assert.partialDeepStrictEqual(await other, { is: 'whole' });
    await ask('remove', { name: 'aborted' });
  });

  it('does nothing more when another process has taken over', async (t) => {
    const first = await clientOf(t);
    const second = await clientOf(t);
    await first.client.enter('node-1', signal);
    assert.deepEqual(await second.ask('helpers'), { 'node-1': first.hello.address });
    await second.ask('expel', { who: 'node-1' });
    await assert.rejects(first.ask('create', { name: 'late', size: GIB }), DriverNotInitialized);
    await assert.rejects(first.ask('list'), DriverNotInitialized);
    assert.deepEqual(await second.ask('look', { name: 'late' }), { is: 'absent' });
    assert.deepEqual(await second.ask('helpers'), {});
    await first.client.start(signal);
    await first.client.enter('node-1', signal);
    await first.ask('create', { name: 'late', size: GIB });
    await first.ask('remove', { name: 'late' });
  });

  it('asks a new helper nothing for those who have given up while it began', async (t) => {
    const { client, helpers, ask } = await clientOf(t);
    const name = 'given-up';
    helpers.freezeOnSight = true;
    helpers.kill();
    const stop = new AbortController();
    const made = client.ask({ op: 'create', args: { name, size: GIB }, about: [name] }, { signal: stop.signal });
    await eventually(async () => assert.equal(helpers.begun, 2));
    const reason = new Error('left to others');
    stop.abort(reason);
    await assert.rejects(made, reason);
    helpers.freezeOnSight = false;
    helpers.thaw();
    assert.deepEqual(await ask('look', { name }, [name]), { is: 'absent' });
  });

  it('does nothing more when another process has taken over while a new helper began', async (t) => {
    const first = await clientOf(t);
    const second = await clientOf(t);
    const [who, name] = ['node-3', 'later'];
    await first.client.enter(who, signal);
    first.helpers.freezeOnSight = true;
    first.helpers.kill();
    const made = first.ask('create', { name, size: GIB }, [name]);
    await eventually(async () => assert.equal(first.helpers.begun, 2));
    await second.ask('expel', { who });
    first.helpers.freezeOnSight = false;
    first.helpers.thaw();
    await assert.rejects(made, /has taken the backend over/);
    assert.deepEqual(await second.ask('look', { name }), { is: 'absent' });
    await first.client.start(signal);
    await first.client.enter(who, signal);
    first.helpers.kill();
    await eventually(() => first.ask('create', { name, size: GIB }, [name]));
    await first.ask('remove', { name });
  });

  it('keeps in the pool by which address it is to be fenced, and fences the one that it had before', async (t) => {
    const first = await clientOf(t);
    await first.client.enter('node-2', signal);
    // Its process was killed, and is begun anew.
    const again = await clientOf(t);
    await again.client.enter('node-2', signal);
    assert.partialDeepStrictEqual(await again.ask('helpers'), { 'node-2': again.hello.address });
    await assert.rejects(first.ask('create', { name: 'stale', size: GIB }), DriverNotInitialized);
    again.helpers.kill();
    await eventually(() => again.ask('list'));
    const { 'node-2': now } = (await again.ask('helpers')) as Record<string, string>;
    assert.notEqual(now, again.hello.address);
  });

  it('says why a pool cannot be used', async () => {
    const address = { conf: ceph.config, user: 'cinder', cluster: 'ceph', pool: 'no-such-pool' };
    const client = new RbdClient({ exec, address });
    await assert.rejects(client.start(signal), /There is no pool no-such-pool/);
    const stranger = new RbdClient({ exec, address: { ...address, pool, user: 'nobody' } });
    await assert.rejects(stranger.start(signal), DriverNotInitialized);
  });
});

async function eventually(work: () => Promise<unknown>): Promise<void> {
  for (const until = performance.now() + DEADLINE_MS; ; await pause(50, signal)) {
    try {
      return void (await work());
    } catch (error) {
      if (performance.now() > until) throw error;
    }
  }
}
