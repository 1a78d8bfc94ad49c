/**
 * Attachments: a volume opened to a server or host, and the connection by which it is reached.
 *
 * A row that says `detached` is a connection without an attachment: `os-initialize_connection` has opened the volume, and
 * `os-attach` has not claimed it yet. No list shows it.
 *
 * The secret that opens an export stands in the row and nowhere else: journals, logs and events are made of the other
 * fields.
 */
import type { Timestamp } from '../lib/clock.ts';
import type { Json } from '../lib/json.ts';
import type { AttachStatus, VolumeStatus } from './status.ts';

export type AttachMode = 'rw' | 'ro';

/** What a client says of the machine that wants the volume: `host`, `initiator`, `ip` … as os-brick collects it. */
export type Connector = { readonly [key: string]: Json };

/** Where the client's machine shows the volume, as Nova says it beside what os-brick collected. */
export function mountpointIn({ mountpoint }: Connector): string | null {
  return typeof mountpoint === 'string' && mountpoint.length <= 255 ? mountpoint : null;
}

/** How a client reaches the volume, without the secret. Cinder's keys. */
export interface ConnectionInfo {
  readonly driver_volume_type: string;
  readonly data: { readonly [key: string]: Json };
}

export interface Attachment {
  readonly id: string;
  readonly projectId: string;
  readonly volumeId: string;
  readonly instanceId: string | null;
  readonly attachedHost: string | null;
  readonly mountpoint: string | null;
  readonly attachMode: AttachMode;
  readonly attachStatus: AttachStatus;
  /** Null: nothing is exported for it. */
  readonly connector: Connector | null;
  /** Null until the export is there, and again from the moment it is to go. */
  readonly connectionInfo: ConnectionInfo | null;
  /** What the client proves itself with. */
  readonly secret: string;
  readonly attachedAt: Timestamp | null;
  /** Another service has opened it, and keeps what it exports: nothing of it is ours until it is connected again here. */
  readonly takenOver: boolean;
  readonly createdAt: Timestamp;
  readonly updatedAt: Timestamp | null;
  /** Rises with every change. */
  readonly revision: number;
}

export type NewAttachment = Pick<Attachment, 'id' | 'projectId' | 'volumeId' | 'attachMode' | 'attachStatus'> &
  Partial<Omit<Attachment, 'updatedAt' | 'revision'>>;

export type AttachmentPatch = Partial<
  Omit<Attachment, 'id' | 'volumeId' | 'secret' | 'createdAt' | 'updatedAt' | 'revision'>
>;

/** Which of a volume's attachments says what the volume is, the strongest first. */
const STRENGTHS: readonly (readonly [AttachStatus, VolumeStatus])[] = [
  ['attached', 'in-use'],
  // What is left of a detach that an operator gave up: somebody may still reach it.
  ['error_detaching', 'in-use'],
  ['attaching', 'attaching'],
  ['detaching', 'detaching'],
  ['reserved', 'reserved'],
  ['error_attaching', 'reserved'],
];

/** The status of a volume with these attachments. */
export function statusWith(attachments: readonly Pick<Attachment, 'attachStatus'>[]): VolumeStatus {
  const held = new Set(attachments.map(({ attachStatus }) => attachStatus));
  return STRENGTHS.find(([status]) => held.has(status))?.[1] ?? 'available';
}

/**
 * Whether a server may be using it. Then only a service may end it: a host that keeps a device whose export has gone would
 * find another tenant's volume behind it (CVE-2023-2088).
 */
export function mayBeInUse({ instanceId, connector, attachStatus }: Attachment): boolean {
  return instanceId !== null && (connector !== null || (attachStatus !== 'reserved' && attachStatus !== 'detached'));
}

/** Whether these are of the same machine. */
export function isSameConnector(a: Connector, b: Connector): boolean {
  return a.initiator === b.initiator && a.host === b.host;
}
