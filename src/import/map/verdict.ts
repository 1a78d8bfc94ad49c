/**
 * What becomes of a row of Cinder's: rows of ours, or a refusal. Both name what was found wrong with it, by its id.
 *
 * A *finding* is a broken state that is put right, or told: the row comes in. A *refusal* keeps the row out, with what hangs on it,
 * and says what the operator does next; where a switch of `pumice import` settles it, it says which. Other rows come in.
 */
import type { Tables } from '../../db/sql/schema.ts';

export type ImportedTable =
  | 'volume'
  | 'volume_attachment'
  | 'snapshot'
  | 'volume_type'
  | 'volume_type_access'
  | 'qos_specs'
  | 'volume_type_encryption'
  | 'default_volume_type'
  | 'group_type'
  | 'group_type_access'
  | 'volume_group'
  | 'group_snapshot'
  | 'backup'
  | 'quota_limit'
  | 'quota_class_limit'
  | 'service'
  | 'message'
  | 'transfer';

/** A row to be written. Its revision is not the import's to say. */
export type ImportedRow<T extends ImportedTable> = Omit<Tables[T & keyof Tables], 'revision'>;

export type ImportedRows = { readonly [T in ImportedTable]?: readonly ImportedRow<T>[] };

export interface ImportFinding {
  readonly code: string;
  /** Cinder's table, in the singular: `volume`. */
  readonly resource: string;
  readonly id: string;
  /** What was found, as a clause that the id begins: `has no user`. */
  readonly saw: string;
  /** What the import does about it: `it comes in as an error`. */
  readonly does: string;
}

export interface ImportRefusal {
  readonly code: string;
  readonly resource: string;
  readonly id: string;
  readonly saw: string;
  /** What the operator does. */
  readonly next: string;
  /** The option of `pumice import` by which it comes in after all. */
  readonly settledBy?: string;
}

export type Verdict =
  | { readonly rows: ImportedRows; readonly findings: readonly ImportFinding[] }
  | { readonly refused: ImportRefusal };

/** Gathers what is found of one row. */
export class FoundInRow {
  readonly findings: ImportFinding[] = [];
  readonly #resource: string;
  readonly #id: string;

  constructor(resource: string, id: string | number) {
    this.#resource = resource;
    this.#id = String(id);
  }

  add(code: string, saw: string, does: string): void {
    this.findings.push({ code, resource: this.#resource, id: this.#id, saw, does });
  }

  refused(code: string, saw: string, next: string, settledBy?: string): { readonly refused: ImportRefusal } {
    return {
      refused: {
        code,
        resource: this.#resource,
        id: this.#id,
        saw,
        next,
        ...(settledBy !== undefined && { settledBy }),
      },
    };
  }
}
