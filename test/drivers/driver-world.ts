/** A fresh backend with a driver on it, and ways to its bytes that are not the driver's own. */
import type { ChildProcess } from 'node:child_process';
import type { FileHandle } from 'node:fs/promises';
import type {
  DriverCall,
  ExportRef,
  ManageRef,
  ObjectName,
  SnapshotName,
  VolumeDriver,
  VolumeName,
  VolumeRef,
} from '../../src/drivers/driver.ts';
import type { ConnectionInfo } from '../../src/model/attachment.ts';
import type { VolumeClient } from './exports/checking-writer.ts';

export interface DriverWorld {
  /** Started. */
  readonly driver: VolumeDriver;
  write(volume: VolumeRef, at: number, data: Buffer): Promise<void>;
  read(object: ObjectName, at: number, length: number): Promise<Buffer>;
  /** An object made by an operator. */
  foreign(name: string, bytes: number, data: Buffer): Promise<ManageRef>;
  /** A snapshot made by an operator, of a volume that is made for it where it has to be of one. */
  foreignSnapshot(volume: VolumeRef, name: string, bytes: number, data: Buffer): Promise<ManageRef>;
  readForeign(ref: ManageRef, length: number): Promise<Buffer>;
  /** Bytes that the volume takes of the backend's room. Absent where nobody can tell. */
  readonly takes?: (volume: VolumeRef) => Promise<number>;
  /** Names of all that is half-made or half-deleted. */
  leftovers(): Promise<readonly string[]>;
  /** A volume's bytes as the backend keeps them. */
  backing(volume: VolumeRef): Promise<FileHandle>;
  /** A machine that has opened the volume as it was told. */
  client(wanted: ExportRef, info: ConnectionInfo): Promise<VolumeClient>;
  /** What serves the backend after its process was started anew. */
  restarted(): Promise<VolumeDriver>;
  /** After the death of the process that did what `elsewhere` was told: somebody takes its place. */
  readonly succeed?: () => Promise<void>;
  /** A call of which nothing may be seen before all is. */
  readonly inOneStep?: (request: Request) => boolean;
  /** Performs the call in a process of its own. */
  elsewhere(request: Request): ChildProcess;
  /** Takes all space but so much, and returns how to give it back. Absent when the backend cannot be filled. */
  readonly fill?: (freeBytes: number) => Promise<() => Promise<void>>;
  cleanup(): Promise<void>;
}

export const theVolume = (volume: VolumeName): ObjectName => ({ ...volume, kind: 'volume' });
export const theSnapshot = (snapshot: SnapshotName): ObjectName => ({ ...snapshot, kind: 'snapshot' });
export const theImage = (id: string): ObjectName => ({ kind: 'image', id });
/** What is kept for a backup. */
export const kept = (id: string, volume: VolumeName): ObjectName => ({ kind: 'backup', id, volume });

type Method =
  | 'createVolume'
  | 'createVolumeFromSnapshot'
  | 'createClonedVolume'
  | 'receiveVolume'
  | 'cloneImage'
  | 'copyImageToVolume'
  | 'cacheImage'
  | 'createVolumeFromCachedImage'
  | 'dropCachedImage'
  | 'deleteVolume'
  | 'extendVolume'
  | 'revertToSnapshot'
  | 'reimageVolume'
  | 'copyVolumeToImage'
  | 'ensureExport'
  | 'removeExport'
  | 'createSnapshot'
  | 'createGroupSnapshot'
  | 'deleteSnapshot'
  | 'keepForBackup'
  | 'dropForBackup'
  | 'manageExisting'
  | 'unmanage'
  | 'manageExistingSnapshot'
  | 'unmanageSnapshot';
type WithoutCall<Args> = Args extends [...infer Rest, DriverCall] ? Rest : never;
/** A call as data, so that it can be made in another process. */
export type Request = { [M in Method]: readonly [M, ...WithoutCall<Parameters<VolumeDriver[M]>>] }[Method];

export function perform(driver: VolumeDriver, [method, ...args]: Request, call: DriverCall): Promise<unknown> {
  const run = driver[method] as (...args: readonly unknown[]) => Promise<unknown>;
  return run.call(driver, ...args, call);
}

/** A call that nobody stops. */
export function calm(): DriverCall {
  return { signal: new AbortController().signal, progress: () => {} };
}
