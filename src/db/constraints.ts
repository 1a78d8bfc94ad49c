/**
 * What the schema itself forbids. To ask before writing is not enough where other processes write too; to write and be
 * refused is. The unit that was refused is undone, so whoever tells a client of it does so outside of the unit.
 */

/** A row with the same key is there already. */
export const isDuplicate = (error: unknown): boolean => codeOf(error, SQLITE_DUPLICATE, '23505');

/** Another row refers to what should have gone. */
export const isReferenced = (error: unknown): boolean => codeOf(error, SQLITE_REFERENCED, '23503');

/** CONSTRAINT_PRIMARYKEY, CONSTRAINT_UNIQUE. */
const SQLITE_DUPLICATE = [1555, 2067];
/** CONSTRAINT_FOREIGNKEY. */
const SQLITE_REFERENCED = [787];

function codeOf(error: unknown, sqlite: readonly number[], postgresql: string): boolean {
  if (!(error instanceof Error)) return false;
  if ('errcode' in error && typeof error.errcode === 'number') return sqlite.includes(error.errcode);
  return 'code' in error && error.code === postgresql;
}
