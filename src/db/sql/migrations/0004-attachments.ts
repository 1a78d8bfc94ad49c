/** Attachments: who a volume is opened to. The secret of an export is in no other table. */
import type { Dialect } from '../connection.ts';
import type { Migration } from './migration.ts';

export const attachments: Migration = { version: 4, name: '0004-attachments', statements };

function statements(dialect: Dialect): string {
  const sqlite = dialect === 'sqlite';
  const text = sqlite ? 'TEXT' : 'text COLLATE "C"';
  const table = sqlite ? 'STRICT' : '';
  return `
    CREATE TABLE volume_attachment (
      id ${text} PRIMARY KEY,
      project_id ${text} NOT NULL,
      volume_id ${text} NOT NULL REFERENCES volume (id) ON DELETE CASCADE,
      instance_uuid ${text},
      attached_host ${text},
      mountpoint ${text},
      attach_mode ${text} NOT NULL,
      attach_status ${text} NOT NULL,
      connector ${text},
      connection_info ${text},
      secret ${text} NOT NULL,
      attached_at ${text},
      created_at ${text} NOT NULL,
      updated_at ${text}
    ) ${table};
    CREATE INDEX volume_attachment_volume ON volume_attachment (volume_id);
    CREATE INDEX volume_attachment_created ON volume_attachment (created_at, id);
    CREATE INDEX volume_attachment_project ON volume_attachment (project_id, created_at, id);
    CREATE INDEX volume_attachment_exported ON volume_attachment (volume_id) WHERE connector IS NOT NULL;
  `;
}
