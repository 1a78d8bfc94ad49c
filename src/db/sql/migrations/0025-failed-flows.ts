/**
 * Failed flows are few among those that ended, and asked for all day: the newest of all, and of a project. To find them by the
 * index of all that ended takes a second of a million. A flow that succeeds is in neither index, so what runs well pays nothing.
 */
import type { Migration } from './migration.ts';

export const failedFlows: Migration = { version: 25, name: '0025-failed-flows', statements };

function statements(): string {
  return `
    CREATE INDEX flow_failed ON flow (ended_at, id) WHERE state = 'reverted';
    CREATE INDEX flow_failed_project ON flow (project_id, ended_at, id) WHERE state = 'reverted';
  `;
}
