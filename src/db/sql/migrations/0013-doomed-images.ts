/** Images that nobody is to have: what uploads that failed have left, or may have, in the image service. */
import type { Dialect } from '../connection.ts';
import type { Migration } from './migration.ts';

export const doomedImages: Migration = { version: 13, name: '0013-doomed-images', statements };

function statements(dialect: Dialect): string {
  const sqlite = dialect === 'sqlite';
  const text = sqlite ? 'TEXT' : 'text COLLATE "C"';
  return `CREATE TABLE doomed_image (id ${text} PRIMARY KEY, since ${text} NOT NULL) ${sqlite ? 'STRICT' : ''};`;
}
