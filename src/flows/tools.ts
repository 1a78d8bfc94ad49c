/**
 * The dependencies of a task: everything it may touch, and no more. Tools are made once a process (`wiring.ts`) and are never
 * results: a flow's results are facts, its tools are what it finds where it runs.
 */
import type { BackupKey, Backups } from '../backups/backups.ts';
import type { StoreAddress } from '../backups/stores/store-address.ts';
import type { Database } from '../db/database.ts';
import type { Tx } from '../db/sql/tx.ts';
import type { VolumeDriver } from '../drivers/driver.ts';
import { flowsOver } from '../engine/flow.ts';
import { tasksOver } from '../engine/task.ts';
import type { QuotaConfig } from '../lib/config/config.ts';
import type { Log } from '../lib/logging.ts';
import type { Attachment } from '../model/attachment.ts';
import { hostOf, laneOfHost } from '../model/backend.ts';
import type { Backup } from '../model/backup.ts';
import type { Caller } from '../model/caller.ts';
import type { ImageStore } from '../model/image.ts';
import type { Specs } from '../model/specs.ts';
import type { Metadata, Volume } from '../model/volume.ts';
import type { SchedulerOptions } from '../scheduler/options.ts';
import type { BackupTurns } from './backups/backup-turns.ts';
import type { ImageCache } from './volumes/image-cache.ts';

export interface ConfiguredStore {
  readonly address: StoreAddress;
  /** How long one that is full, busy or silent is asked again. */
  readonly patienceMs: number;
  /** With which key a scope that is made there is encrypted; null: with none. */
  readonly keyId: string | null;
  /** Of one copy, of what it reads or writes of a volume. 0: no limit. */
  readonly bytesPerSecond: number;
}

/** What copies to backup stores, the stores of this host, and the books that are kept while it does. */
export interface BackupTools {
  /** Loaded when it is first asked for: most hosts have no store. */
  ground(): Promise<Backups>;
  /** As the configuration calls it. Throws `BackupStoreRefused` when this host has none of the name. */
  store(name: string): ConfiguredStore;
  /** All of this host's, as the configuration calls them. */
  storeNames(): readonly string[];
  /** All of this host's that can be read now. In no journal and no log. */
  keys(): Promise<readonly BackupKey[]>;
  readonly turns: BackupTurns;
  readonly db: Pick<Database, 'read' | 'write' | 'writeUnsynced'>;
  readonly log: Pick<Log, 'warn'>;
}

/** What a schedule of backups asks for, of one volume. */
export interface ScheduledRequest {
  readonly scheduleId: string;
  readonly volumeId: string;
  readonly name: string;
  readonly description: string;
  readonly metadata: Metadata;
  /** An increment, where there is something to be one to. */
  readonly incremental: boolean;
  readonly force: boolean;
  /** As the configuration calls it; null: where backups go. */
  readonly store: string | null;
}

/** Commands about backups for flows, which ask for them as callers do. Each stands in the transaction that asks, and rejects as it does for callers. */
export interface BackupRequests {
  create(tx: Tx, caller: Caller, request: ScheduledRequest): Promise<Pick<Backup, 'id' | 'parentId'>>;
  /** Increments of the same schedules are given its parent in its place. */
  delete(tx: Tx, caller: Caller, backupId: string): Promise<void>;
}

export interface Tools {
  /** The driver that serves `node@backend` or one of its pools, here. Throws `DriverNotInitialized` when it has not come up. */
  driver(host: string): VolumeDriver;
  /** As its row is now. Rejects with `VolumeNotFound`. */
  volume(id: string): Promise<Volume>;
  /** As its row is now, with the secret that nothing journals. Rejects with `AttachmentNotFound`. */
  attachment(id: string): Promise<Attachment>;
  /** What the backend is to keep the volume to, as the QoS specs of its type are now; nothing where there are none. */
  limits(volumeId: string): Promise<Specs>;
  /** What opens the source of a move. Rejects with `DriverFailed` when the move has ended. */
  moveSecret(copyId: string): Promise<string>;
  /** Keeps in the row of a snapshot that is being created how far it is. */
  snapshotProgress(id: string, percent: number): Promise<void>;
  readonly images: ImageStore;
  readonly imageCache: ImageCache;
  readonly backups: BackupTools;
  readonly backupRequests: BackupRequests;
  /** Where images lie while they are converted. */
  readonly conversionDirectory: string;
  /** Milliseconds that unpacking or converting one may take. */
  readonly conversionTimeoutMs: number;
  readonly scheduler: SchedulerOptions;
  /** How many backends a create may try. */
  readonly maxAttempts: number;
  readonly quota: QuotaConfig;
  /** Seconds after which a service that is silent counts as down. */
  readonly serviceDownSeconds: number;
  /** Seconds a user message is kept. */
  readonly messageTtlSeconds: number;
}

export const { world, record, obligation } = tasksOver<Tools, Tx>();
export const flow = flowsOver<Tools, Tx>();

/** The lane of a flow that goes on where its pool is served. */
export const onHostOf = ({ pool }: { readonly pool: string }): string => laneOfHost(hostOf(pool));
