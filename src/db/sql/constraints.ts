/**
 * Violations of the schema's constraints, told from other failures. Where other processes write too, asking before a write
 * is not enough: the write is refused by the schema. The refused unit is undone, so a command answers its client outside of
 * the unit.
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
