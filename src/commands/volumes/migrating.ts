/** Whether a migration works on a volume: one that has ended leaves its outcome in the row. And what a volume on its way, or in a group, refuses. */
import { InvalidVolume } from '../../model/errors.ts';
import type { Volume } from '../../model/volume.ts';

const ENDED: ReadonlySet<string> = new Set(['none', 'success', 'error', 'deleting']);

export function isMigrating({ migrationStatus }: Pick<Volume, 'migrationStatus'>): boolean {
  return migrationStatus !== null && !ENDED.has(migrationStatus);
}

type Refusing = Pick<Volume, 'id' | 'migrationStatus' | 'groupId'>;

/** Throws `InvalidVolume`: it is copied as it is, and the switch would lose what is done to it meanwhile. */
export function refuseMigrating({ id, migrationStatus }: Omit<Refusing, 'groupId'>, done: string): void {
  if (isMigrating({ migrationStatus }))
    throw new InvalidVolume(`Volume ${id} is being migrated and cannot be ${done}.`);
}

/** The same of a volume that is in a group, too: its group counts on it. */
export function refuseMigratingOrMember(volume: Refusing, done: string): void {
  refuseMigrating(volume, done);
  refuseMember(volume, done);
}

export function refuseMember({ id, groupId }: Pick<Refusing, 'id' | 'groupId'>, done: string): void {
  if (groupId !== null)
    throw new InvalidVolume(
      `Volume ${id} is in group ${groupId} and cannot be ${done}: remove it from the group first.`,
    );
}
