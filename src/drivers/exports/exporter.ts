/** The contract between a backend and its exports: how the files of a backend are reached from elsewhere. */
import type { ConnectionInfo } from '../../model/attachment.ts';
import type { Exported, ExportRef } from '../driver.ts';

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
  /** When it resolves, nobody reaches the volume through it any more. */
  remove(attachmentId: string, signal: AbortSignal): Promise<void>;
  list(signal: AbortSignal): Promise<readonly Exported[]>;
  /** Whether anybody can reach this file, or still does. */
  serves(path: string, signal: AbortSignal): Promise<boolean>;
  /** The file is larger than it was: those who have it open are shown its new size. */
  grown(path: string, signal: AbortSignal): Promise<void>;
  /**
   * Runs `body`, which runs a program, while nobody writes to these files. The program's argv is to come behind `holding`, which
   * keeps those waiting who have one of the files open, for so long at most; it is empty when nobody has. Rejects with
   * `ConsistentSnapshotRefused` when they cannot be made to wait.
   */
  quiesce<Result>(
    files: { readonly paths: readonly string[]; readonly limitMs: number },
    body: (holding: readonly string[]) => Promise<Result>,
    signal: AbortSignal,
  ): Promise<Result>;
}
