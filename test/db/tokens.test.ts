/** The table of tokens that were issued, and whose rows are. */
import assert from 'node:assert/strict';
import { insertAttachment } from '../../src/db/attachments.ts';
import { insertMessage } from '../../src/db/messages.ts';
import { findOwner } from '../../src/db/row-owners.ts';
import { deleteToken, findToken, type IssuedToken, insertToken, pruneTokens } from '../../src/db/tokens.ts';
import { fromNow, now, uuid } from '../../src/lib/clock.ts';
import { proveStore } from '../prove-store.ts';
import { makeSnapshot, makeVolume } from './rows.ts';

const token = (given: Partial<IssuedToken> = {}): IssuedToken => ({
  digest: uuid(),
  auditId: uuid(),
  methods: ['password', 'token'],
  userId: 'ada',
  projectId: null,
  applicationCredentialId: null,
  secretMark: 'mark',
  issuedAt: now(),
  expiresAt: fromNow(60_000),
  ...given,
});

proveStore('tokens and owners', (test) => {
  test('a token is read as it was issued, until it is deleted', async ({ database }) => {
    const issued = [token(), token({ projectId: 'p', applicationCredentialId: 'c' })];
    for (const each of issued) await database.write((tx) => insertToken(tx, each));
    for (const each of issued) assert.deepEqual(await findToken(database.read, each.digest), each);
    const [first = token()] = issued;
    await database.write((tx) => deleteToken(tx, first.digest));
    assert.equal(await findToken(database.read, first.digest), undefined);
  });

  test('tokens that have expired are forgotten, the oldest first, and no others', async ({ database }) => {
    const [old, older, good] = [fromNow(-1_000), fromNow(-2_000), fromNow(60_000)].map((expiresAt) =>
      token({ expiresAt }),
    );
    assert.ok(old && older && good);
    for (const each of [old, older, good]) await database.write((tx) => insertToken(tx, each));
    assert.equal(await database.write((tx) => pruneTokens(tx, 1)), 1);
    assert.equal(await findToken(database.read, older.digest), undefined);
    assert.equal(await database.write((tx) => pruneTokens(tx, 10)), 1);
    assert.deepEqual(await findToken(database.read, good.digest), good);
  });

  test('a row says whose it is: its project, and its user where it has one', async ({ database }) => {
    const volume = await makeVolume(database, { projectId: 'p', userId: 'u' });
    const snapshot = await makeSnapshot(database, volume);
    const ids = { attachment: uuid(), message: '' };
    await database.write(async (tx) => {
      const attachment = { id: ids.attachment, projectId: 'p', volumeId: volume.id } as const;
      await insertAttachment(tx, { ...attachment, attachMode: 'rw', attachStatus: 'reserved' });
      ids.message = await insertMessage(tx, {
        projectId: 'p',
        requestId: 'req-1',
        resourceType: 'VOLUME',
        resourceId: volume.id,
        eventId: 'VOLUME_VOLUME_001_003',
        level: 'ERROR',
        text: 'It failed.',
        expiresAt: fromNow(60_000),
      });
    });
    const owned = { projectId: 'p', userId: 'u' };
    assert.deepEqual(await findOwner(database.read, 'volume', volume.id), owned);
    assert.deepEqual(await findOwner(database.read, 'snapshot', snapshot.id), owned);
    assert.deepEqual(await findOwner(database.read, 'volume_attachment', ids.attachment), { projectId: 'p' });
    assert.deepEqual(await findOwner(database.read, 'message', ids.message), { projectId: 'p' });
    assert.equal(await findOwner(database.read, 'transfer', uuid()), undefined);
  });
});
