/** Tokens of Pumice's own identity: only digests of them, so that who reads the database can be nobody else. */
import type { Dialect } from '../connection.ts';
import type { Migration } from './migration.ts';

export const tokens: Migration = { version: 5, name: '0005-tokens', statements };

function statements(dialect: Dialect): string {
  const sqlite = dialect === 'sqlite';
  const text = sqlite ? 'TEXT' : 'text COLLATE "C"';
  return `
    CREATE TABLE token (
      digest ${text} PRIMARY KEY,
      audit_id ${text} NOT NULL,
      methods ${text} NOT NULL,
      user_id ${text} NOT NULL,
      project_id ${text},
      application_credential_id ${text},
      secret_mark ${text} NOT NULL,
      issued_at ${text} NOT NULL,
      expires_at ${text} NOT NULL
    ) ${sqlite ? 'STRICT' : ''};
    CREATE INDEX token_expiry ON token (expires_at);
  `;
}
