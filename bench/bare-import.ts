/**
 * The two halves of an import, each with nothing but the library that does it, on the rows of one:
 *
 *   node bench/bare-import.ts read URL DATABASE      all living rows of the tables with many, in batches by their keys, by `mysql2`, and nothing is done with them
 *   node bench/bare-import.ts write FILLED           the rows of a filled database into a new one with its tables, by `node:sqlite`; indexes are made at the end
 *
 * Prints the seconds.
 */
import { rmSync } from 'node:fs';
import { DatabaseSync, type SQLInputValue } from 'node:sqlite';
import mysql from 'mysql2/promise';

const BATCH = 500;
const [what, ...args] = process.argv.slice(2);
console.log(what === 'read' ? await read(args[0] ?? '', args[1] ?? '') : write(args[0] ?? ''));

async function read(url: string, database: string): Promise<number> {
  const connection = await mysql.createConnection({ uri: `${url}${database}`, dateStrings: true });
  const begun = performance.now();
  for (const table of ['volumes', 'volume_metadata', 'volume_attachment', 'snapshots'])
    for (let last: unknown = ''; ; ) {
      const after = last === '' && table === 'volume_metadata' ? 0 : last;
      const [rows] = await connection.execute<mysql.RowDataPacket[]>(
        `SELECT * FROM ${table} WHERE deleted = 0 AND id > ? ORDER BY id LIMIT ${BATCH}`,
        [after as string],
      );
      if (rows.length < BATCH) break;
      last = rows.at(-1)?.id;
    }
  const seconds = (performance.now() - begun) / 1000;
  await connection.end();
  return seconds;
}

/** What is read first is not counted. */
function write(filled: string): number {
  const source = new DatabaseSync(filled, { readOnly: true });
  const file = `${filled}.bare`;
  const target = new DatabaseSync(file);
  target.exec(
    'PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA cache_size = -12288; PRAGMA wal_autocheckpoint = 25000',
  );
  const statements = (type: string): string[] =>
    source
      .prepare("SELECT sql FROM sqlite_schema WHERE type = ? AND sql IS NOT NULL AND name NOT LIKE 'sqlite_%'")
      .all(type)
      .map(({ sql }) => String(sql));
  for (const statement of statements('table')) target.exec(statement);
  let seconds = 0;
  for (const table of ['volume_type', 'volume', 'volume_attachment', 'snapshot']) {
    const columns = source.prepare(`SELECT * FROM ${table} LIMIT 0`).columns();
    const insert = target.prepare(`INSERT INTO ${table} VALUES (${columns.map(() => '?').join(', ')})`);
    const select = source.prepare(`SELECT * FROM ${table} ORDER BY rowid LIMIT ${BATCH} OFFSET ?`);
    select.setReturnArrays(true);
    for (let from = 0; ; from += BATCH) {
      const rows = select.all(from) as unknown as SQLInputValue[][];
      const begun = performance.now();
      target.exec('BEGIN');
      for (const row of rows) insert.run(...row);
      target.exec('COMMIT');
      seconds += (performance.now() - begun) / 1000;
      if (rows.length < BATCH) break;
    }
  }
  const begun = performance.now();
  for (const statement of statements('index')) target.exec(statement);
  seconds += (performance.now() - begun) / 1000;
  target.close();
  for (const end of ['', '-wal', '-shm']) rmSync(`${file}${end}`, { force: true });
  return seconds;
}
