/** The contract between a backend and its exports: how the files of a backend are reached from elsewhere. */
import type { ConnectionInfo } from '../../model/attachment.ts';
import type { Exported, ExportRef } from '../driver.ts';

export interface ExportedFile extends Exported {
  /** Null where it can only be one of the backend's. */
  readonly path: string | null;
}

/**
 * How the files of a backend are reached from elsewhere. Each export is one attachment's alone, and its name comes from the
 * attachment's id, so that removing one cuts off nobody else. All calls are idempotent, and what is there decides.
 */
export interface Exporter {
  /** As backends report it: `iSCSI`. */
  readonly protocol: string;
  /** Rejects with `DriverNotInitialized` when this machine cannot export so. */
  start(signal: AbortSignal): Promise<void>;
  /** Rejects with `InvalidConnector` when the connector cannot reach it. */
  ensure(path: string, wanted: ExportRef, signal: AbortSignal): Promise<ConnectionInfo>;
  /** When it resolves, nobody reaches the volume through it any more. `unless`: what has such a file open is left as it is. */
  remove(attachmentId: string, signal: AbortSignal, unless?: (path: string) => boolean): Promise<void>;
  list(signal: AbortSignal): Promise<readonly ExportedFile[]>;
  /** Whether anybody can reach this file, or still does. */
  serves(path: string, signal: AbortSignal): Promise<boolean>;
  /** The file is larger than it was: those who have it open are shown its new size. */
  grown(path: string, signal: AbortSignal): Promise<void>;
  /**
   * Runs `body`, which runs a program that prints `ready`, and reads a line: from then on nobody writes to these files until it
   * ends. Its argv is to come behind `holding`, which keeps those waiting who have one of the files open, for so long at most, and is
   * empty when nobody has; its input is a line. Rejects with `ConsistentSnapshotRefused` when they cannot be made to wait.
   */
  quiesce<Result>(
    files: { readonly paths: readonly string[]; readonly limitMs: number },
    body: (holding: readonly string[]) => Promise<Result>,
    signal: AbortSignal,
  ): Promise<Result>;
  /**
   * Makes those wait who have this file open, for so long at most: when it resolves nobody writes to it. Rejects with
   * `LiveMoveRefused` when they cannot be made to wait.
   */
  hold(file: FileToHold, signal: AbortSignal): Promise<HeldClients>;
}

export interface FileToHold {
  readonly path: string;
  readonly limitMs: number;
}

/** Those who have a file open wait. They go on by themselves when the time is over or this process ends, until they are bound. */
export interface HeldClients {
  /**
   * From here on they go on by `goOn` or not at all: whatever ends the hold ends what serves them, and nobody writes to the file. Rejects
   * when they were not held until now.
   */
  bind(): Promise<void>;
  /**
   * They go on, with the file at `path`, which is the one they had or, when they are bound, another of the same size. Rejects when they do
   * not: then their exports are made anew. It is always to be called.
   */
  goOn(path: string): Promise<void>;
}

/** Nobody has the file open. */
export const NOBODY: HeldClients = { bind: async () => {}, goOn: async () => {} };
