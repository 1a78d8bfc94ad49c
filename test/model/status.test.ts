import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { BACKUP_STATUSES, BACKUP_TRANSITIONS } from '../../src/model/backup-status.ts';
import {
  GROUP_SNAPSHOT_STATUSES,
  GROUP_SNAPSHOT_TRANSITIONS,
  GROUP_STATUSES,
  GROUP_TRANSITIONS,
} from '../../src/model/group-status.ts';
import {
  isTransient,
  SNAPSHOT_STATUSES,
  SNAPSHOT_TRANSITIONS,
  VOLUME_STATUSES,
  VOLUME_TRANSITIONS,
} from '../../src/model/status.ts';
import type { Transition } from '../../src/model/transition.ts';

const lifeCycles: readonly (readonly [string, readonly string[], Readonly<Record<string, Transition<string>>>])[] = [
  ['volume', VOLUME_STATUSES, VOLUME_TRANSITIONS],
  ['snapshot', SNAPSHOT_STATUSES, SNAPSHOT_TRANSITIONS],
  ['group', GROUP_STATUSES, GROUP_TRANSITIONS],
  ['group snapshot', GROUP_SNAPSHOT_STATUSES, GROUP_SNAPSHOT_TRANSITIONS],
  ['backup', BACKUP_STATUSES, BACKUP_TRANSITIONS],
];

for (const [resource, statuses, transitions] of lifeCycles) {
  describe(`the life cycle of a ${resource}`, () => {
    it('begins no operation in a transient status', () => {
      const transient = Object.values(transitions).flatMap(({ from, also }) =>
        [...(from === 'any' ? [] : from), ...(also?.from ?? [])].filter((status) => isTransient(status)),
      );
      // A snapshot that is being deleted may go with its volume; a volume may be made for a group that is being made; a backup that is
      // being restored may be looked at.
      const allowed: Readonly<Record<string, readonly string[]>> = {
        snapshot: ['deleting'],
        group: ['creating'],
        backup: ['restoring'],
      };
      assert.deepEqual(transient, allowed[resource] ?? []);
    });

    it('ends no operation in a transient status', () => {
      for (const [operation, { success, failure }] of Object.entries(transitions)) {
        assert.deepEqual(
          [success, failure].filter((status) => isTransient(status)),
          [],
          operation,
        );
      }
    });

    it('calls transient what is neither rest, nor error, nor held by a client', () => {
      const byClients = ['reserved', 'attaching', 'detaching', 'awaiting-transfer'];
      const rest = [...byClients, 'available', 'in-use', 'maintenance', 'updating', 'deleted'];
      for (const status of statuses) {
        assert.equal(isTransient(status), !rest.includes(status) && !status.startsWith('error'), status);
      }
    });
  });
}
