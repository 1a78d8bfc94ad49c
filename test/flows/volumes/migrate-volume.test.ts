import assert from 'node:assert/strict';
import { once } from 'node:events';
import { truncateSync } from 'node:fs';
import { describe, it } from 'node:test';
import { beginDetaching } from '../../../src/commands/attachments/begin-detaching.ts';
import { terminateConnection } from '../../../src/commands/attachments/terminate-connection.ts';
import { createSnapshot } from '../../../src/commands/snapshots/create-snapshot.ts';
import { deleteVolume } from '../../../src/commands/volumes/delete-volume.ts';
import { extendVolume } from '../../../src/commands/volumes/extend-volume.ts';
import { migrateVolume as command, type MigrateVolumeRequest } from '../../../src/commands/volumes/migrate-volume.ts';
import { setBootable } from '../../../src/commands/volumes/set-bootable.ts';
import { updateVolume } from '../../../src/commands/volumes/update-volume.ts';
import { DatabaseJournal } from '../../../src/db/journal.ts';
import { processName } from '../../../src/db/sql/ownership.ts';
import type { Tx } from '../../../src/db/sql/tx.ts';
import { idsInWork } from '../../../src/db/unended-flows.ts';
import { insertVolumeType } from '../../../src/db/volume-types.ts';
import { getVolume, updateVolume as updateRow } from '../../../src/db/volumes.ts';
import { backends } from '../../../src/doctor/checks/backends.ts';
import { Engine } from '../../../src/engine/engine.ts';
import { FLOWS } from '../../../src/flows/registry.ts';
import type { Tools } from '../../../src/flows/tools.ts';
import { migrateAttachedVolume, migrateVolume } from '../../../src/flows/volumes/migrate-volume.ts';
import { uuid } from '../../../src/lib/clock.ts';
import { backendOf } from '../../../src/model/backend.ts';
import { BackendFull, DriverFailed, DriverNotInitialized, LiveMoveRefused } from '../../../src/model/errors.ts';
import { refOf, type Volume } from '../../../src/model/volume.ts';
import { condition } from '../../crash/condition.ts';
import { proveFlow } from '../../prove-flow.ts';
import { contentOf, givenAttachment, givenVolume, HERE, OVER_NETWORK } from '../given.ts';
import { losesAnswer, refuses } from '../interposed.ts';
import { type LiveSite, liveSite } from '../live-site.ts';
import { snapshotRequest } from '../requests.ts';
import { caller, type Site } from '../site.ts';
import { onSite, provesEveryTask } from '../site-proof.ts';

const ALPHA = 'node@alpha#alpha';
const BETA = 'node@beta#beta';
const request = (more: Partial<MigrateVolumeRequest> = {}): MigrateVolumeRequest => ({
  host: BETA,
  forceHostCopy: false,
  lockVolume: false,
  ...more,
});

/** One object, with what the volume held, where its row says. */
async function isWhole(site: Site, { id }: { readonly id: string }, backend: string): Promise<void> {
  const { host, nameId } = await getVolume(site.database.read, id);
  assert.equal(host, `node@${backend}#${backend}`);
  const object = `${backend}/volume-${nameId ?? id}`;
  assert.deepEqual(site.objects(), [object]);
  const content = contentOf({ id });
  assert.deepEqual(site.content(object, content.length), content);
}

proveFlow(
  'migrate_volume of a volume that is locked',
  migrateVolume,
  onSite(async (site) => {
    const managedRef = { 'source-name': 'theirs' };
    const volume = await givenVolume(site, { managedRef });
    const now = () => getVolume(site.database.read, volume.id);
    const moved = { status: 'available', previousStatus: null, migrationStatus: 'success', managedRef: null } as const;
    return {
      begin: (desk) => command(desk, caller, volume.id, request({ lockVolume: true })),
      done: async () => {
        assert.partialDeepStrictEqual(await now(), moved);
        assert.notEqual((await now()).nameId, null);
        await isWhole(site, volume, 'beta');
        assert.deepEqual(await site.events(), []);
        assert.deepEqual(await site.messages(), []);
      },
      undone: async ([failure]) => {
        // The switch is the point of no return.
        if (failure?.task === 'remove_old' || failure?.task === 'migrate_on_finish') {
          assert.partialDeepStrictEqual(await now(), moved);
          await isWhole(site, volume, 'beta');
          return;
        }
        const { nameId } = volume;
        const before = { status: 'available', previousStatus: null, migrationStatus: 'error', managedRef, nameId };
        assert.partialDeepStrictEqual(await now(), before);
        await isWhole(site, volume, 'alpha');
        assert.equal((await site.messages()).length, 1);
      },
    };
  }),
);
provesEveryTask(migrateVolume);

/** Attached twice, as a volume of a multiattach type may be. */
async function givenAttached(site: Site): Promise<Volume> {
  const volume = await givenVolume(site, { status: 'in-use', attachStatus: 'attached' });
  for (const attachStatus of ['attached', 'attaching'] as const)
    await givenAttachment(site, volume, { ...OVER_NETWORK, attachStatus });
  return volume;
}

/** Its clients have the file open that its row says. */
async function isServed(site: Site, { id }: Volume): Promise<void> {
  const { host, nameId } = await getVolume(site.database.read, id);
  const path = site.path(backendOf(host ?? '') ?? '', `volume-${nameId ?? id}`);
  assert.deepEqual([...site.opened.values()], [path, path]);
}

proveFlow(
  'migrate_attached_volume',
  migrateAttachedVolume,
  onSite(
    async (site) => {
      const volume = await givenAttached(site);
      const now = () => getVolume(site.database.read, volume.id);
      const inUse = { status: 'in-use', attachStatus: 'attached', previousStatus: null } as const;
      return {
        begin: (desk) => command(desk, caller, volume.id, request({ lockVolume: true })),
        done: async () => {
          assert.partialDeepStrictEqual(await now(), { ...inUse, migrationStatus: 'success' });
          await isWhole(site, volume, 'beta');
          await isServed(site, volume);
          assert.deepEqual(await site.events(), []);
          assert.deepEqual(await site.messages(), []);
        },
        undone: async () => {
          const moved = (await now()).nameId !== volume.nameId;
          const migrationStatus = moved ? 'success' : 'error';
          assert.partialDeepStrictEqual(await now(), { ...inUse, migrationStatus });
          await isWhole(site, volume, moved ? 'beta' : 'alpha');
          await isServed(site, volume);
          assert.equal((await site.messages()).length, moved ? 0 : 1);
        },
      };
    },
    { overNetwork: true },
  ),
);
provesEveryTask(migrateAttachedVolume);

/** Begins to migrate, and stops where the backend is to receive the volume. `go` lets it go on; resolves when it is there. */
async function underWay(live: LiveSite, id: string, more: Partial<MigrateVolumeRequest> = {}): Promise<() => void> {
  const there = Promise.withResolvers<void>();
  const { promise, resolve: go } = Promise.withResolvers<void>();
  live.site.interpose('beta', 'receiveVolume', async (proceed) => {
    const received = await proceed();
    there.resolve();
    await promise;
    return received;
  });
  await command(live.desk, caller, id, request(more));
  await there.promise;
  return go;
}

describe('migrate_volume', () => {
  it('there and back again, by a copy and without one, ends where it began', async (context) => {
    const live = await liveSite(context);
    const volume = await givenVolume(live.site);
    for (const [host, backend, forceHostCopy] of [
      [BETA, 'beta', true],
      ['node@alpha', 'alpha', false],
      [BETA, 'beta', false],
    ] as const) {
      await command(live.desk, caller, volume.id, request({ host, forceHostCopy }));
      assert.partialDeepStrictEqual(await live.settledVolume(volume), { migrationStatus: 'success' });
      await isWhole(live.site, volume, backend);
      assert.deepEqual(await live.site.leftovers(), []);
    }
    await deleteVolume(live.desk, caller, volume.id, { cascade: false, force: false });
    await live.settled(`volume:${volume.id}`);
    assert.deepEqual(live.site.objects(), []);
  });

  it('to a backend that is not good for its type, or has no room, changes nothing, and says so', async (context) => {
    const live = await liveSite(context, { set: ['quota.quota_gigabytes=-1'] });
    const type = await live.database.write((tx) =>
      insertVolumeType(tx, { id: uuid(), name: 'a', extraSpecs: { volume_backend_name: 'alpha' } }),
    );
    const large = await givenVolume(live.site, { sizeGiB: 30_000 });
    await command(live.desk, caller, large.id, request());
    assert.partialDeepStrictEqual(await live.settledVolume(large), { host: ALPHA, migrationStatus: 'error' });
    await deleteVolume(live.desk, caller, large.id, { cascade: false, force: false });
    await live.settled(`volume:${large.id}`);
    const volume = await givenVolume(live.site, { volumeTypeId: type.id });
    await command(live.desk, caller, volume.id, request({ lockVolume: true }));
    const after = { status: 'available', host: ALPHA, migrationStatus: 'error', nameId: null } as const;
    assert.partialDeepStrictEqual(await live.settledVolume(volume), after);
    await isWhole(live.site, volume, 'alpha');
    assert.deepEqual(await live.site.messages(), ['VOLUME_VOLUME_108_003', 'VOLUME_VOLUME_108_003']);
    const events = await live.database.read.selectFrom('outbox').selectAll().orderBy('seq').execute();
    const { event_type, payload } = events.at(-1) ?? assert.fail();
    const { volume_id, state } = JSON.parse(payload);
    assert.deepEqual(
      [event_type, volume_id, state],
      ['scheduler.migrate_volume_to_host', volume.id, { migration_status: 'error' }],
    );
  });

  it('that the destination fails, before or after its work, leaves one volume, where it was', async (context) => {
    const live = await liveSite(context);
    const volume = await givenVolume(live.site);
    for (const hook of [refuses(new BackendFull('No.')), losesAnswer(new DriverFailed('No.'))]) {
      live.site.interpose('beta', 'receiveVolume', hook);
      await command(live.desk, caller, volume.id, request());
      assert.partialDeepStrictEqual(await live.settledVolume(volume), {
        status: 'available',
        migrationStatus: 'error',
      });
      await isWhole(live.site, volume, 'alpha');
      assert.deepEqual(await live.site.leftovers(), []);
    }
    assert.deepEqual(await live.site.messages(), ['VOLUME_VOLUME_108_101', 'VOLUME_VOLUME_108_112']);
  });

  it('keeps the name, the metadata and the flags that are given meanwhile', async (context) => {
    const live = await liveSite(context);
    const volume = await givenVolume(live.site, { name: 'before' });
    const go = await underWay(live, volume.id);
    const metadata = { key: 'value' };
    await updateVolume(live.desk, caller, volume.id, { name: 'after', metadata });
    await setBootable(live.desk, caller, volume.id, true);
    go();
    const after = { host: BETA, name: 'after', metadata, bootable: true, migrationStatus: 'success' } as const;
    assert.partialDeepStrictEqual(await live.settledVolume(volume), after);
  });

  it('refuses meanwhile what the switch would lose, and shows no second volume', async (context) => {
    const live = await liveSite(context);
    const { id } = await givenVolume(live.site);
    const go = await underWay(live, id);
    assert.partialDeepStrictEqual(await live.volumes(), [{ id, status: 'available', migrationStatus: 'migrating' }]);
    const { desk } = live;
    for (const ask of [
      () => extendVolume(desk, caller, id, 3, { inUseAllowed: true }),
      () => deleteVolume(desk, caller, id, { cascade: false, force: false }),
      () => createSnapshot(desk, caller, snapshotRequest(id)),
      () => command(desk, caller, id, request()),
    ])
      await assert.rejects(ask, { status: 400, message: /migrat|on its way/ });
    go();
    assert.partialDeepStrictEqual(await live.settledVolume({ id }), { sizeGiB: 1, migrationStatus: 'success' });
    assert.deepEqual(await live.site.leftovers(), []);
  });

  it('that is taken back by another version removes the copy before the switch, and what it came from after it', async (context) => {
    const { site } = await liveSite(context);
    for (const [switched, backend] of [
      [false, 'alpha'],
      [true, 'beta'],
    ] as const) {
      const volume = await givenVolume(site);
      const copyId = uuid();
      const call = { tools: site.tools, signal: AbortSignal.timeout(60_000), progress: () => {} };
      const alpha = site.tools.driver(ALPHA);
      const source = await alpha.locateVolume(refOf(volume), 'read', call.signal);
      const copy = { ...refOf(volume), nameId: copyId };
      await site.tools.driver(BETA).receiveVolume(copy, source, { copies: false }, call);
      if (switched) await site.database.write((tx) => updateRow(tx, volume.id, { host: BETA, nameId: copyId }));
      const input = { volumeRef: refOf(volume), pool: ALPHA, destination: BETA, copyId, copies: false, source };
      const failures = [{ name: 'Interrupted', message: 'Its tasks changed.', task: 'upgrade' }];
      for (const path of ['receive_volume', 'locate_volume']) {
        const node = migrateVolume.nodes.find((each) => each.kind === 'task' && each.path === path);
        assert.ok(node?.kind === 'task');
        await node.body.revert?.(input, { is: 'interrupted' }, { ...call, failures } as never);
      }
      await isWhole(site, volume, backend);
      await (switched ? site.tools.driver(BETA).deleteVolume(copy, call) : alpha.deleteVolume(refOf(volume), call));
    }
  });

  it('goes through two processes of a machine, each of which serves one of the two backends', async (context) => {
    const { site, engine } = await liveSite(context);
    await engine.stop();
    const serving = async (backend: string): Promise<Engine<Tools, Tx>> => {
      const driver: Tools['driver'] = (pool) => {
        if (!pool.startsWith(`node@${backend}`)) throw new DriverNotInitialized(`${pool} is served by another.`);
        return site.tools.driver(pool);
      };
      const tools = { ...site.tools, driver };
      const one = new Engine<Tools, Tx>({
        journal: new DatabaseJournal(site.database),
        tools,
        flows: FLOWS,
        pollMs: 5,
      });
      await site.database.ownership.take(processName(one.process));
      await one.start([`host:node@${backend}`]);
      context.after(() => one.stop());
      return one;
    };
    const [alpha, beta] = [await serving('alpha'), await serving('beta')];
    for (const by of [alpha, beta]) {
      const volume = await givenVolume(site);
      await command(site.desk(by), caller, volume.id, request());
      const journal = new DatabaseJournal(site.database);
      const [flow] = await journal.list({ resource: `volume:${volume.id}`, limit: 1 });
      await by.settled(flow?.id ?? '', AbortSignal.timeout(60_000));
      assert.equal((await getVolume(site.database.read, volume.id)).migrationStatus, 'success');
      await isWhole(site, volume, 'beta');
      await site.tools.driver(BETA).deleteVolume(refOf(await getVolume(site.database.read, volume.id)), {
        signal: AbortSignal.timeout(60_000),
        progress: () => {},
      });
    }
  });

  it('of an attached volume that fails leaves it in use, and its clients with the file that it had', async (context) => {
    const live = await liveSite(context, { overNetwork: true });
    const volume = await givenAttached(live.site);
    const [full, refused] = [new BackendFull('No.'), new LiveMoveRefused('No.')];
    for (const hook of [refuses(full), refuses(refused), losesAnswer(new DriverFailed('No.'))]) {
      live.site.interpose('beta', 'receiveLive', hook);
      await command(live.desk, caller, volume.id, request());
      const after = { status: 'in-use', attachStatus: 'attached', migrationStatus: 'error' } as const;
      assert.partialDeepStrictEqual(await live.settledVolume(volume), after);
      await isWhole(live.site, volume, 'alpha');
      await isServed(live.site, volume);
      assert.deepEqual(await live.site.leftovers(), []);
    }
    const codes = ['101', '141', '112'].map((code) => `VOLUME_VOLUME_108_${code}`);
    assert.deepEqual(await live.site.messages(), codes);
  });

  it('of an attached volume that is larger than its row says changes nothing, and its clients go on', async (context) => {
    const live = await liveSite(context, { overNetwork: true });
    const volume = await givenAttached(live.site);
    // As an extend leaves it that was given up.
    truncateSync(live.site.path('alpha', `volume-${volume.id}`), 2 * 1024 ** 3);
    await command(live.desk, caller, volume.id, request());
    assert.partialDeepStrictEqual(await live.settledVolume(volume), { status: 'in-use', migrationStatus: 'error' });
    await isServed(live.site, volume);
    assert.deepEqual(await live.site.messages(), ['VOLUME_VOLUME_108_111']);
    assert.deepEqual(await live.site.leftovers(), []);
  });

  it('of an attached volume to a backend that this process does not serve changes nothing', async (context) => {
    const live = await liveSite(context, { overNetwork: true });
    const volume = await givenAttached(live.site);
    live.site.down.add('node@beta');
    await command(live.desk, caller, volume.id, request());
    assert.partialDeepStrictEqual(await live.settledVolume(volume), { status: 'in-use', migrationStatus: 'error' });
    await isServed(live.site, volume);
    assert.deepEqual(await live.site.messages(), ['VOLUME_VOLUME_108_002']);
  });

  it('of an attached volume waits for a destination that comes up after the source', async (context) => {
    const live = await liveSite(context, { overNetwork: true });
    const volume = await givenAttached(live.site);
    live.site.down.add('node@beta');
    await command(live.desk, caller, volume.id, request());
    await live.heard(({ is }) => is === 'task-retried');
    live.site.down.delete('node@beta');
    assert.partialDeepStrictEqual(await live.settledVolume(volume), { status: 'in-use', migrationStatus: 'success' });
    await isServed(live.site, volume);
  });

  it('of an attached volume exports it again where its exports are gone, also while it copies, and is cancelled as any other', async (context) => {
    const live = await liveSite(context, { overNetwork: true });
    const volume = await givenAttached(live.site);
    live.site.opened.clear();
    const there = Promise.withResolvers<void>();
    live.site.interpose('beta', 'receiveLive', async (_proceed, args) => {
      await isServed(live.site, volume);
      live.site.opened.clear();
      await condition('they are exported again', 60_000, async () => live.site.opened.size === 2);
      const { signal } = args.at(-1) as { readonly signal: AbortSignal };
      const ended = once(signal, 'abort');
      there.resolve();
      await ended;
      throw signal.reason;
    });
    await command(live.desk, caller, volume.id, request({ lockVolume: true }));
    await there.promise;
    for (const ask of [
      () => beginDetaching(live.desk, caller, volume.id),
      () => terminateConnection(live.desk, caller, volume.id, HERE),
    ])
      await assert.rejects(ask, { status: 400 });
    await live.engine.wish((await live.flowOf(`volume:${volume.id}`)).id, 'cancel', 'Enough.');
    const after = { status: 'in-use', previousStatus: null, migrationStatus: 'error' } as const;
    assert.partialDeepStrictEqual(await live.settledVolume(volume), after);
    await isServed(live.site, volume);
    assert.deepEqual(await live.site.messages(), ['VOLUME_VOLUME_108_102']);
    assert.deepEqual(await live.site.leftovers(), []);
  });

  it('tells the backend for which project it copies', async (context) => {
    const live = await liveSite(context);
    const { id, projectId } = await givenVolume(live.site);
    let told: unknown;
    live.site.interpose('beta', 'receiveVolume', async (proceed, args) => {
      told = (args.at(-1) as { readonly projectId?: string }).projectId;
      return proceed();
    });
    await command(live.desk, caller, id, request());
    await live.settledVolume({ id });
    assert.equal(told, projectId);
  });

  it('lets nobody take the copy for left over', async (context) => {
    const live = await liveSite(context);
    const { id } = await givenVolume(live.site);
    const go = await underWay(live, id);
    const { database, site } = live;
    const copy =
      site
        .objects()
        .find((name) => name.startsWith('beta/volume-'))
        ?.slice('beta/volume-'.length) ?? '';
    assert.ok((await idsInWork(database.read)).has(copy));
    const all = ['node@alpha', 'node@beta'].map((host) => ({ host, driver: site.tools.driver(host) }));
    const patient = {
      db: database,
      config: site.config,
      patienceMs: 0,
      backends: all,
      signal: AbortSignal.timeout(60_000),
    };
    assert.deepEqual(await backends.examine(patient), []);
    go();
    await live.settledVolume({ id });
    assert.deepEqual(await backends.examine(patient), []);
    assert.ok(!(await idsInWork(database.read)).has(copy));
  });

  it('is stopped by a delete by force, which leaves nothing on either backend', async (context) => {
    const live = await liveSite(context);
    const { id } = await givenVolume(live.site);
    const go = await underWay(live, id, { lockVolume: true });
    const deleted = deleteVolume(live.desk, caller, id, { cascade: false, force: true });
    go();
    await deleted;
    await live.settled(`volume:${id}`);
    assert.deepEqual(live.site.objects(), []);
    assert.deepEqual(await live.site.leftovers(), []);
  });
});
