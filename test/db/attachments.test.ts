/** The table of attachments. */
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { sql } from 'kysely';
import {
  attachmentsOf,
  deleteAttachmentRow,
  exportedBy,
  findAttachment,
  getAttachment,
  insertAttachment,
  listAttachments,
  lockAttachment,
  lockAttachmentsOf,
  updateAttachment,
} from '../../src/db/attachments.ts';
import type { Database } from '../../src/db/database.ts';
import type { Connection } from '../../src/db/sql/connection.ts';
import type { Tx } from '../../src/db/sql/tx.ts';
import { deleteVolumeRow, getVolume, lockVolumeRow, moveVolumeStatus } from '../../src/db/volumes.ts';
import { uuid } from '../../src/lib/clock.ts';
import type { Attachment, NewAttachment } from '../../src/model/attachment.ts';
import { AttachmentNotFound } from '../../src/model/errors.ts';
import type { Volume } from '../../src/model/volume.ts';
import { proveStore } from '../prove-store.ts';
import { makeVolume } from './rows.ts';

const make = (database: Database, volume: Volume, given: Partial<NewAttachment> = {}): Promise<Attachment> =>
  database.write((tx) =>
    insertAttachment(tx, {
      id: uuid(),
      projectId: volume.projectId,
      volumeId: volume.id,
      attachMode: 'rw',
      attachStatus: 'reserved',
      ...given,
    }),
  );

/** How many are sent from now on; asked once. */
function statements(context: TestContext, direct: Connection): () => number {
  const spies =
    direct.dialect === 'sqlite'
      ? [context.mock.method(direct, 'statement')]
      : [context.mock.method(direct, 'query'), context.mock.method(direct, 'prepared')];
  return () => {
    const sent = spies.reduce((sum, spy) => sum + spy.mock.callCount(), 0);
    for (const spy of spies) spy.mock.restore();
    return sent;
  };
}

proveStore('attachments', (test) => {
  test('an attachment is read as it was made, changed and deleted, and its volume says each time that it has changed', async ({
    database,
  }) => {
    const volume = await makeVolume(database);
    const revision = async (): Promise<number> => (await getVolume(database.read, volume.id)).revision;
    const made = await make(database, volume, { connector: { host: 'h' } });
    assert.deepEqual(await getAttachment(database.read, made.id), made);
    assert.equal(await revision(), 2);
    const connectionInfo = { driver_volume_type: 'local', data: { device_path: '/x' } };
    await database.write((tx) => updateAttachment(tx, made.id, { attachStatus: 'attached', connectionInfo }));
    assert.partialDeepStrictEqual(await getAttachment(database.read, made.id), {
      attachStatus: 'attached',
      connectionInfo,
      connector: { host: 'h' },
    });
    assert.equal(await revision(), 3);
    assert.equal(await database.write((tx) => deleteAttachmentRow(tx, made.id)), true);
    assert.equal(await revision(), 4);
    assert.equal(await database.write((tx) => deleteAttachmentRow(tx, made.id)), false);
    await assert.rejects(getAttachment(database.read, made.id), AttachmentNotFound);
  });

  test('those of a volume are, within a transaction, what it has made, changed and taken away of them', async ({
    database,
  }) => {
    const volume = await makeVolume(database);
    const other = await makeVolume(database);
    const [kept, changed, gone] = [
      await make(database, volume),
      await make(database, volume),
      await make(database, volume),
    ];
    await make(database, other);
    const seen = await database.write(async (tx) => {
      const look = async () =>
        (await attachmentsOf(tx.db, volume.id)).map(({ id, attachStatus }) => `${id} ${attachStatus}`);
      await updateAttachment(tx, changed.id, { attachStatus: 'attached' });
      await deleteAttachmentRow(tx, gone.id);
      const fresh = { id: uuid(), projectId: volume.projectId, attachMode: 'rw', attachStatus: 'attaching' } as const;
      await insertAttachment(tx, { ...fresh, volumeId: volume.id });
      await insertAttachment(tx, { ...fresh, id: uuid(), volumeId: other.id });
      const putOff = await look();
      await tx.db.selectFrom('volume').select('id').execute();
      return {
        expected: [`${kept.id} reserved`, `${changed.id} attached`, `${fresh.id} attaching`],
        putOff,
        written: await look(),
      };
    });
    assert.deepEqual(seen.putOff, seen.expected);
    assert.deepEqual(seen.written, seen.expected);
  });

  test('one that was only found is what it has become when it is locked', async ({ database, open, url, context }) => {
    if (!url.startsWith('postgres')) return context.skip('SQLite has one writer: what a transaction found stays so');
    const { id } = await make(database, await makeVolume(database));
    const other = await open();
    await database.write(async (tx) => {
      assert.equal((await getAttachment(tx.db, id)).attachStatus, 'reserved');
      await other.write((theirs) => updateAttachment(theirs, id, { attachStatus: 'attached' }));
      assert.equal((await lockAttachment(tx, id)).attachStatus, 'attached');
    });
  });

  test('those of a volume are read once a transaction, and again when it is locked', async ({
    database,
    open,
    url,
    context,
  }) => {
    const volume = await makeVolume(database);
    await make(database, volume);
    const count = async (tx: Tx): Promise<number> => (await attachmentsOf(tx.db, volume.id)).length;
    await database.write(async (tx) => {
      const { direct } = tx.db;
      const reads = statements(context, direct);
      for (let times = 0; times < 3; times += 1) assert.equal(await count(tx), 1);
      assert.equal(reads(), 1);
    });
    if (!url.startsWith('postgres')) return;
    const other = await open();
    await database.write(async (tx) => {
      assert.equal(await count(tx), 1);
      await make(other, volume);
      await lockVolumeRow(tx, volume.id);
      assert.equal(await count(tx), 2);
    });
  });

  test('those of a volume that are locked are found and changed by no further statement, and are as they are now', async ({
    database,
    open,
    url,
    context,
  }) => {
    const volume = await makeVolume(database);
    const [one, other] = [await make(database, volume), await make(database, volume)];
    const isPostgresql = url.startsWith('postgres');
    const another = await open();
    const change = (database: Database, attachStatus: Attachment['attachStatus']) =>
      database.write((tx) => updateAttachment(tx, one.id, { attachStatus }));
    let changed: Promise<boolean> | undefined;
    await database.write(async (tx) => {
      assert.equal((await getAttachment(tx.db, one.id)).attachStatus, 'reserved');
      if (isPostgresql) await change(another, 'attaching');
      await lockVolumeRow(tx, volume.id);
      await lockAttachmentsOf(tx, volume.id);
      const reads = statements(context, tx.db.direct);
      const { attachStatus } = await lockAttachment(tx, one.id);
      assert.equal(attachStatus, isPostgresql ? 'attaching' : 'reserved');
      await deleteAttachmentRow(tx, other.id);
      const third = {
        projectId: volume.projectId,
        volumeId: volume.id,
        attachMode: 'rw',
        attachStatus: 'reserved',
      } as const;
      const { id } = await insertAttachment(tx, { id: uuid(), ...third });
      assert.deepEqual((await attachmentsOf(tx.db, volume.id)).map((each) => each.id).sort(), [one.id, id].sort());
      assert.equal(reads(), 0);
      await lockAttachmentsOf(tx, volume.id);
      assert.equal(
        (await attachmentsOf(tx.db, volume.id)).length,
        2,
        'what was put off stays when they are locked again',
      );
      if (isPostgresql) changed = change(another, 'error_attaching');
      await updateAttachment(tx, one.id, { attachStatus: 'attached' });
      assert.equal((await getAttachment(tx.db, one.id)).attachStatus, 'attached');
    });
    assert.equal(await changed, isPostgresql || undefined);
    const { attachStatus, revision } = await getAttachment(database.read, one.id);
    assert.deepEqual([attachStatus, revision], isPostgresql ? ['error_attaching', 4] : ['attached', 2]);
  });

  test('one is read also after a newer process has given its table another column', async ({
    database,
    open,
    url,
    context,
  }) => {
    if (!url.startsWith('postgres')) return context.skip('SQLite prepares a statement again by itself');
    const { id } = await make(database, await makeVolume(database));
    const read = () => getAttachment(database.read, id);
    await Promise.all([read(), read(), read()]);
    const newer = await open();
    await newer.write(({ db }) => sql`ALTER TABLE volume_attachment ADD COLUMN another text`.execute(db));
    assert.equal((await read()).id, id);
  });

  test('each has a secret of its own', async ({ database }) => {
    const volume = await makeVolume(database);
    const secrets = [await make(database, volume), await make(database, volume)].map(({ secret }) => secret);
    for (const secret of secrets) assert.match(secret, /^[A-Za-z0-9]{16}$/);
    assert.notEqual(secrets[0], secrets[1]);
  });

  test('those of a volume are in the order in which they came, those of a host are what it exports', async ({
    database,
  }) => {
    const [one, two, three] = [
      await makeVolume(database, { host: 'node@a_b#pool' }),
      await makeVolume(database, { host: 'node@axb#pool' }),
      await makeVolume(database, { host: 'node@a_bc#pool' }),
    ];
    const first = await make(database, one, { connector: { host: 'h' } });
    const second = await make(database, one);
    await make(database, two, { connector: { host: 'h' } });
    await make(database, three, { connector: { host: 'h' } });
    assert.deepEqual(await attachmentsOf(database.read, one.id), [first, second]);
    assert.deepEqual(await exportedBy(database.read, 'node@a_b'), [first]);
  });

  test('a connection without an attachment is in no list', async ({ database }) => {
    const volume = await makeVolume(database);
    const shown = await make(database, volume);
    await make(database, volume, { attachStatus: 'detached' });
    assert.deepEqual(await listAttachments(database, {}), [shown]);
  });

  test('a volume that is exported does not move where it must not be', async ({ database }) => {
    const volume = await makeVolume(database);
    const move = () => database.write((tx) => moveVolumeStatus(tx, volume.id, 'delete', { withoutExports: true }));
    const { id } = await make(database, volume, { connector: { host: 'h' } });
    assert.equal(await move(), false);
    await database.write((tx) => updateAttachment(tx, id, { connector: null }));
    assert.equal(await move(), true);
  });

  test('a volume takes its reservations with it', async ({ database }) => {
    const volume = await makeVolume(database);
    const { id } = await make(database, volume);
    await database.write((tx) => deleteVolumeRow(tx, volume.id));
    assert.equal(await findAttachment(database.read, id), undefined);
  });
});
