/** The worker thread of `sqlite-search.ts`: runs what it is handed, one statement after the other, on a connection of its own. */
import { parentPort, workerData } from 'node:worker_threads';
import { openSqliteReader } from './sqlite.ts';

export interface SearchQuestion {
  readonly id: number;
  readonly sql: string;
  readonly params: readonly unknown[];
}

/** An error loses its class and its code on the way; the code says whether it is trouble that passes. */
export type SearchAnswer =
  | { readonly id: number; readonly rows: unknown[] }
  | { readonly id: number; readonly failure: { readonly message: string; readonly errcode: unknown } };

const file = openSqliteReader(workerData as string);

parentPort?.on('message', ({ id, sql, params }: SearchQuestion) => {
  file.query(sql, params).then(
    (rows) => tell({ id, rows }),
    (error: Error & { readonly errcode?: unknown }) =>
      tell({ id, failure: { message: error.message, errcode: error.errcode } }),
  );
});

function tell(answer: SearchAnswer): void {
  parentPort?.postMessage(answer);
}
