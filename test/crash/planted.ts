/**
 * Imported before `src/main.ts` (`--import`): makes the service fail as none of its code does, at a place that PLANTED names.
 *
 * - `timer`, `promise`: nobody's, at SIGUSR2, while a volume is made
 * - `disk`: the same as `timer`, while a read from NEVER_READ goes on that never ends
 * - `loud`: the same as `timer`, with more to say than anybody reads
 * - `request`: while `/healthcheck` is answered
 */
import { open } from 'node:fs/promises';
import { SqliteFile } from '../../src/db/sql/sqlite.ts';
import { FileDriver } from '../../src/drivers/file/file-driver.ts';

const never = (): Promise<never> => new Promise(() => {});
const place = process.env.PLANTED;

function fault(): Error {
  const text = place === 'loud' ? 'planted'.repeat(1_000_000) : 'planted';
  return Object.assign(new TypeError(text), { auth_token: 'a-secret' });
}

function fail(): never {
  throw fault();
}

if (place === 'request') {
  const { query } = SqliteFile.prototype;
  SqliteFile.prototype.query = function <R>(this: SqliteFile, sql: string, params?: readonly unknown[]): Promise<R[]> {
    if (sql !== 'SELECT 1') return query.call(this, sql, params) as Promise<R[]>;
    setImmediate(fail);
    return never();
  };
} else {
  FileDriver.prototype.createVolume = () => {
    process.stdout.write('a volume is being made\n');
    return never();
  };
  process.on('SIGUSR2', () => {
    if (place === 'promise') void Promise.reject(fault());
    else setTimeout(fail);
  });
}

if (place === 'disk') void open(process.env.NEVER_READ ?? '', 'r');
