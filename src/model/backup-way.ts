/** How it was found out what a backup is to store, and why not only what has changed was read. */

/** As the ground of backups tells it (`backups/backups.ts`), in an operator's words. */
export const BACKUP_WAYS = {
  map: 'only what had changed was read',
  digests: 'all was read and compared',
  full: 'all was read',
} as const;

/** Of an increment: why what had changed was not known before. */
export const WHY_ALL_READ = {
  no_base: 'nothing is kept of its volume',
  other_base: 'what is kept of its volume is of another backup',
  untold: 'its backend cannot tell what has changed',
  distrusted: 'what its backend told was not so',
} as const;

export type BackupWay = keyof typeof BACKUP_WAYS;
export type WhyAllRead = keyof typeof WHY_ALL_READ;

/** `only what had changed was read`; `all was read and compared: nothing is kept of its volume`. */
export function wayInWords(way: BackupWay, why: WhyAllRead | null): string {
  return why === null ? BACKUP_WAYS[way] : `${BACKUP_WAYS[way]}: ${WHY_ALL_READ[why]}`;
}
