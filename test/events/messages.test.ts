import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ACTIONS, DETAILS } from '../../src/events/message-codes.ts';
import { messageFor, type Operation, userMessage } from '../../src/events/messages.ts';
import { fromNow } from '../../src/lib/clock.ts';
import * as errors from '../../src/model/errors.ts';
import { assertGolden } from '../golden.ts';

const failed = (name: string, operation: Operation = 'create-volume') => ({
  operation,
  failure: { name },
  resourceId: 'v1',
  projectId: 'project-1',
  requestId: 'req-1',
  ttlSeconds: 60,
});

/** What a flow may end with: what a backend, the scheduler, an image or a quota may answer. The rest ends requests. */
const ENDS_FLOWS =
  /^(Driver|Backend|Image|Backup(Failed|Store|Missing|Damaged|Key|Format)|Metadata(Copy|Update)|ManageExisting|NoValid)|(Volume|Snapshot)(NotFound|IsBusy)$|Exceed/;

describe('user messages', () => {
  const cases: readonly [failure: string, operation: Operation, eventId: string][] = [
    ['NoValidBackend', 'create-volume', 'VOLUME_VOLUME_001_003'],
    ['NoValidBackend', 'extend-volume', 'VOLUME_VOLUME_007_003'],
    ['DriverFailed', 'create-volume', 'VOLUME_VOLUME_008_012'],
    ['DriverFailed', 'extend-volume', 'VOLUME_VOLUME_007_010'],
    ['DriverFailed', 'create-snapshot', 'VOLUME_VOLUME_SNAPSHOT_009_013'],
    ['DriverFailed', 'delete-snapshot', 'VOLUME_VOLUME_SNAPSHOT_010_016'],
    ['SnapshotIsBusy', 'delete-snapshot', 'VOLUME_VOLUME_SNAPSHOT_010_015'],
    ['DriverNotInitialized', 'create-volume', 'VOLUME_VOLUME_008_002'],
    ['ImageUnacceptable', 'create-volume', 'VOLUME_VOLUME_005_029'],
    ['ImageTooBig', 'create-volume', 'VOLUME_VOLUME_005_007'],
    ['VolumeSizeExceedsAvailableQuota', 'manage-existing-snapshot', 'VOLUME_VOLUME_SNAPSHOT_103_006'],
    ['BackupStoreFull', 'create-backup', 'VOLUME_VOLUME_BACKUP_013_151'],
    ['BackupFailed', 'create-backup', 'VOLUME_VOLUME_BACKUP_013_020'],
    ['BackupFailed', 'delete-backup', 'VOLUME_VOLUME_BACKUP_014_025'],
    ['BackupFailed', 'restore-backup', 'VOLUME_VOLUME_BACKUP_015_026'],
    ['BackupDamaged', 'create-volume', 'VOLUME_VOLUME_008_154'],
    ['Cancelled', 'delete-volume', 'VOLUME_VOLUME_101_102'],
    ['TaskTimeout', 'create-volume', 'VOLUME_VOLUME_008_103'],
  ];
  for (const [failure, operation, eventId] of cases) {
    test(`${failure} of ${operation} is ${eventId}`, () => {
      assert.equal(userMessage(failed(failure, operation)).eventId, eventId);
    });
  }

  test('a failure nobody thought of is told as unknown', () => {
    for (const name of ['TypeError', 'constructor', '__proto__', ''])
      assert.deepEqual(messageFor(name, 'create-volume'), { action: 'createVolume', detail: 'unknown' });
  });

  test('every failure a flow may end with has words', () => {
    const names = Object.keys(errors).filter((name) => ENDS_FLOWS.test(name));
    assert.ok(names.length > 15);
    assert.deepEqual(
      names.filter((name) => messageFor(name, 'create-volume').detail === 'unknown'),
      [],
    );
  });

  test('say what was being done and why it was not', () => {
    const message = userMessage(failed('BackendFull'));
    assert.equal(message.text, 'create the volume on its backend: The storage backend has no room left.');
    assert.equal(message.level, 'ERROR');
    assert.equal(message.resourceType, 'VOLUME');
  });

  test('are kept for as long as the configuration says', () => {
    const [earliest, message, latest] = [fromNow(60_000), userMessage(failed('BackendFull')), fromNow(60_000)];
    assert.ok(earliest <= message.expiresAt && message.expiresAt <= latest);
  });

  test('no number changes its meaning', () => {
    const told = [ACTIONS, DETAILS].map((table) =>
      Object.entries(table)
        .map(([name, { code }]) => `${code} ${name}`)
        .sort(),
    );
    assertGolden('message-codes.txt', `${told.map((table) => table.join('\n')).join('\n\n')}\n`);
  });

  test('no number means two things', () => {
    for (const codes of [ACTIONS, DETAILS].map((table) => Object.values(table).map(({ code }) => code))) {
      assert.equal(new Set(codes).size, codes.length);
      assert.deepEqual(
        codes.filter((code) => !/^\d{3}$/.test(code)),
        [],
      );
    }
  });
});
