/**
 * An attachment of Cinder's as one of ours. Whoever has the volume open goes on as it is: the row is marked as taken over, so that nothing is
 * exported for it, and nothing cut.
 */
import type { Json } from '../../lib/json.ts';
import { ATTACH_STATUSES } from '../../model/status.ts';
import type { CinderRows } from '../cinder/cinder-tables.ts';
import { madeAt } from './made-at.ts';
import type { MapSettings } from './map-settings.ts';
import { FoundInRow, type ImportedRow, type ImportRefusal } from './verdict.ts';

export type AttachmentVerdict =
  /** None: it is left out, and named. */
  | { readonly row: ImportedRow<'volume_attachment'> | undefined; readonly findings: FoundInRow['findings'] }
  | { readonly refused: ImportRefusal };

/** Of a volume of this project, which comes in. */
export function mapAttachment(
  row: CinderRows['volume_attachment'],
  projectId: string,
  { now }: Pick<MapSettings, 'now'>,
): AttachmentVerdict {
  const found = new FoundInRow('attachment', row.id);
  if (!ATTACH_STATUSES.some((status) => status === row.attach_status))
    return found.refused(
      'attach-status-unknown',
      `of volume ${row.volume_id} has the status ${JSON.stringify(row.attach_status)}`,
      'set its attach_status in the Cinder database to attached or reserved, whichever Nova says, or delete it',
    );
  if (row.attach_status === 'detached' || row.attach_status === 'deleted') {
    found.add(
      'attachment-over',
      `of volume ${row.volume_id} is ${row.attach_status}, and was not removed`,
      'it is left out',
    );
    return { row: undefined, findings: found.findings };
  }
  const connection = parsed(row.connection_info);
  const connector = parsed(row.connector);
  if (connection === 'cut')
    found.add(
      'connection-cut',
      `of volume ${row.volume_id} has a connection_info that is no JSON`,
      'it comes in without; let its host detach the volume and attach it again',
    );
  if (connector === 'cut')
    found.add('connector-cut', `of volume ${row.volume_id} has a connector that is no JSON`, 'it comes in without');
  const { info, secret } = connectionOf(connection === 'cut' ? null : connection);
  return {
    row: {
      id: row.id,
      project_id: projectId,
      volume_id: row.volume_id,
      instance_uuid: row.instance_uuid,
      attached_host: row.attached_host,
      mountpoint: row.mountpoint,
      attach_mode: row.attach_mode === 'ro' ? 'ro' : 'rw',
      attach_status: row.attach_status as string,
      connector: connector === 'cut' || connector === null ? null : JSON.stringify(connector),
      connection_info: info,
      secret,
      attached_at: row.attach_time,
      created_at: madeAt(row.created_at, [row.attach_time, row.updated_at], now, found),
      updated_at: row.updated_at,
      taken_over: 1,
    },
    findings: found.findings,
  };
}

function parsed(text: string | null): { readonly [key: string]: Json } | null | 'cut' {
  if (text === null || text === '') return null;
  try {
    const value: unknown = JSON.parse(text);
    if (value === null) return null;
    return typeof value === 'object' && !Array.isArray(value) ? (value as { readonly [key: string]: Json }) : 'cut';
  } catch {
    return 'cut';
  }
}

/** Cinder's is flat: what the driver said, and beside it which driver and which attachment. What opens it stands apart here. */
function connectionOf(flat: { readonly [key: string]: Json } | null): {
  readonly info: string | null;
  readonly secret: string;
} {
  const { driver_volume_type: type, attachment_id: _, auth_password: password, ...data } = flat ?? {};
  const secret = typeof password === 'string' ? password : '';
  if (typeof type !== 'string') return { info: null, secret };
  return { info: JSON.stringify({ driver_volume_type: type, data }), secret };
}
