/** What a volume is to remember of the image that is being written to it, until it has the image's content. */
import type { Dialect } from '../connection.ts';
import type { Migration } from './migration.ts';

export const nextImage: Migration = { version: 12, name: '0012-next-image', statements };

function statements(dialect: Dialect): string {
  const text = dialect === 'sqlite' ? 'TEXT' : 'text COLLATE "C"';
  return `ALTER TABLE volume ADD COLUMN next_image_metadata ${text};`;
}
