/** What `pumice import check` has found: facts, which the command line shows to people or as JSON. */
import type { ImportFinding, ImportRefusal } from '../map/verdict.ts';

export interface ImportCheck {
  /** `MariaDB 10.11.19` */
  readonly server: string;
  readonly revision: { readonly id: string; readonly release: string };
  readonly rows: readonly RowCount[];
  readonly hosts: readonly HostUse[];
  /** What Cinder was at when it was looked at. An import waits for its end. */
  readonly atWork: CinderAtWork;
  readonly findings: readonly ImportFinding[];
  readonly refusals: readonly ImportRefusal[];
  readonly usage: readonly UsageDifference[];
  readonly backends: readonly BackendLook[];
  /** What a client of both would see differently, a sentence each. */
  readonly seenDifferently: readonly string[];
}

/** Living rows of one of Cinder's tables. */
export interface RowCount {
  readonly table: string;
  readonly there: number;
  readonly comeIn: number;
}

export interface HostUse {
  /** As Cinder has it: `HOST@BACKEND#POOL`, or that of a cluster. */
  readonly from: string;
  readonly volumes: number;
  /** Null: no map names it. */
  readonly to: string | null;
  /** Why its volumes are kept out, or would be found by nobody. */
  readonly problem: HostProblem | null;
}

/** `backend` and `pool`: no section here has it, or none of its pools is called so. */
export type HostProblem = 'unmapped' | 'failed-over' | 'backend' | 'pool';

export interface CinderAtWork {
  readonly workers: number;
  /** Volumes, snapshots, groups and backups in a status in which something is being done. */
  readonly rows: number;
  readonly reservations: number;
}

/** What Cinder says is used, and what its rows add up to, which is what counts here. */
export interface UsageDifference {
  readonly projectId: string;
  readonly resource: string;
  readonly said: number;
  readonly counted: number;
}

export interface BackendLook {
  readonly host: string;
  /** Why it could not be looked at; null when it was. */
  readonly failure: string | null;
  readonly pools: readonly string[];
  /** Volumes and snapshots of the database that it has. */
  readonly known: number;
  readonly unknown: readonly UnknownObject[];
}

/** What it has under a name of a volume or a snapshot, and no living row. It is left alone. */
export interface UnknownObject {
  readonly name: string;
  readonly bytes: number;
}

/** `clean`, or what keeps rows out: what a switch settles, or more. */
export type ImportOutcome = 'clean' | 'switches' | 'refused';

export function outcomeOf({ refusals, hosts }: Pick<ImportCheck, 'refusals' | 'hosts'>): ImportOutcome {
  const isRefused = refusals.some(({ settledBy }) => settledBy === undefined);
  if (isRefused || hosts.some(({ problem }) => problem === 'failed-over')) return 'refused';
  return refusals.length > 0 || hosts.some(({ problem }) => problem !== null) ? 'switches' : 'clean';
}
