/** The name under which whoever makes backups tells that it lives, as in Cinder. */
export const BACKUP_BINARY = 'cinder-backup';
