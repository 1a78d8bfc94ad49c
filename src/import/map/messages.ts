/** User messages of Cinder's: it keeps numbers, and makes the words when they are read; here the words are kept. */
import { ACTIONS, DETAILS } from '../../events/message-codes.ts';
import { millis, timestampOf } from '../../lib/clock.ts';
import type { CinderRows } from '../cinder/cinder-tables.ts';
import type { MapSettings } from './map-settings.ts';
import type { ImportedRow } from './verdict.ts';

/** `message_ttl` of Cinder, unless its configuration says otherwise. */
const TTL_MS = 30 * 24 * 3_600_000;

/** Undefined: it has expired. One that never would in Cinder lives here for as long as a new one. */
export function mapMessage(
  row: CinderRows['messages'],
  { now }: Pick<MapSettings, 'now'>,
): ImportedRow<'message'> | undefined {
  const createdAt = row.created_at ?? now;
  const expiresAt = row.expires_at ?? timestampOf(millis(now) + TTL_MS);
  if (expiresAt <= now) return undefined;
  return {
    id: row.id,
    project_id: row.project_id,
    request_id: row.request_id ?? '',
    resource_type: row.resource_type ?? '',
    resource_uuid: row.resource_uuid ?? '',
    event_id: row.event_id,
    message_level: row.message_level,
    user_message: `${wordsOf(ACTIONS, row.action_id) ?? 'do what was asked'}: ${wordsOf(DETAILS, row.detail_id) ?? DETAILS.unknown.text}`,
    created_at: createdAt,
    expires_at: expiresAt,
  };
}

/** Numbers below 100 mean the same in both. */
function wordsOf(
  table: Readonly<Record<string, { readonly code: string; readonly text: string }>>,
  code: string | null,
): string | undefined {
  return Object.values(table).find((each) => each.code === code && Number(each.code) < 100)?.text;
}
