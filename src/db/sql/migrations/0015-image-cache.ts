/** Images that backends keep to make volumes of. */
import type { Dialect } from '../connection.ts';
import type { Migration } from './migration.ts';

export const imageCache: Migration = { version: 15, name: '0015-image-cache', statements };

function statements(dialect: Dialect): string {
  const sqlite = dialect === 'sqlite';
  const text = sqlite ? 'TEXT' : 'text COLLATE "C"';
  return `
    CREATE TABLE image_cache (
      pool ${text} NOT NULL,
      id ${text} NOT NULL,
      image_id ${text} NOT NULL,
      size_gib ${sqlite ? 'INTEGER' : 'bigint'} NOT NULL,
      created_at ${text} NOT NULL,
      last_used_at ${text} NOT NULL,
      evicted_at ${text},
      PRIMARY KEY (pool, id)
    ) ${sqlite ? 'STRICT' : ''};`;
}
