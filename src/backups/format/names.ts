/**
 * What is called how on a store. Names are made of ids that are checked here, also those that a manifest brings: a name never
 * leads out of the store.
 */
import { BackupDamaged } from '../../model/errors.ts';

export const STORE_FILE = 'pumice-store.json';

const WORD = /^[A-Za-z0-9_-]{1,200}$/;
const PACK = /^[A-Za-z0-9_-]{1,200}\/[1-9][0-9]{0,8}-[0-9]{1,9}$/;

export const scopeFile = (scope: string): string => `${ofScope(scope)}/scope.json`;
export const manifestFile = (scope: string, backupId: string): string =>
  `${ofScope(scope)}/manifests/${word(backupId)}`;

/** `pack`: as `packOf` names it. */
export function packFile(scope: string, pack: string): string {
  if (!PACK.test(pack)) throw new BackupDamaged('A pack has a name that no pack has.');
  return `${ofScope(scope)}/packs/${pack}`;
}

/** The name of a pack within its scope. `attempt` from 1, `number` from 0. */
export const packOf = (backupId: string, attempt: number, number: number): string =>
  `${word(backupId)}/${attempt}-${number}`;

/** Which of an attempt's packs it is. */
export function partsOf(pack: string): { readonly attempt: number; readonly number: number } {
  const [attempt = 0, number = 0] = (pack.split('/')[1] ?? '').split('-').map(Number);
  return { attempt, number };
}

const ofScope = (scope: string): string => `scopes/${word(scope)}`;

function word(id: string): string {
  if (!WORD.test(id)) throw new RangeError('What is called on a backup store is called by letters, digits, - and _.');
  return id;
}
