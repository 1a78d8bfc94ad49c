/** What an operation writes, as `record-writes.ts` has seen it and `bare-operations.ts` writes it again. */

export interface Write {
  readonly sql: string;
  readonly params: readonly (string | number | null)[];
  /** Rows. */
  readonly changes: number;
}

export interface Recorded {
  /** As `operationOf` names it. */
  readonly operation: string;
  /** Of what the operation is about, as it stands in the texts. */
  readonly id: string;
  readonly volumeId: string;
  readonly status: number;
  readonly answer: string;
  /** Each is one transaction. */
  readonly commits: readonly (readonly Write[])[];
}

/** `POST /attachments/ID/action` → `POST attachments action`. */
export function operationOf(method: string, rest: readonly string[]): string {
  return [method, ...rest.filter((_, at) => at !== 1)].join(' ');
}
