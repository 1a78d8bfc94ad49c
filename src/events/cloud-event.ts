/**
 * An event as a CloudEvent 1.0 in structured mode, and its signature after Standard Webhooks
 * (https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md).
 *
 * It is a function of the outbox's row alone, so of an event that is posted twice the bodies are equal. Names of extensions are lower-case
 * letters and digits, their values texts that are not empty, as CloudEvents has it.
 */
import { createHmac } from 'node:crypto';
import type { OutboxEvent } from '../model/event.ts';

export const CLOUD_EVENT = 'application/cloudevents+json';
/** As many as the highest `seq` has, so that texts stand in the order of numbers. */
const DIGITS = 16;

export function cloudEvent(event: OutboxEvent): string {
  return JSON.stringify({
    specversion: '1.0',
    id: event.messageId,
    source: `/pumice/${encodeURIComponent(event.publisherId)}`,
    type: `org.pumice.${event.eventType}`,
    subject: event.resource,
    time: `${event.createdAt}Z`,
    datacontenttype: 'application/json',
    sequence: String(event.seq).padStart(DIGITS, '0'),
    ...(event.requestId !== '' && { requestid: event.requestId }),
    ...(event.projectId !== '' && { projectid: event.projectId }),
    ...(event.userId !== '' && { userid: event.userId }),
    data: JSON.parse(event.payload),
  });
}

/** The headers of one attempt. `secrets` are in base64; `seconds` since 1970, of the attempt: receivers refuse what is older than minutes. */
export function signed(
  id: string,
  body: string,
  secrets: readonly string[],
  seconds: number,
): Readonly<Record<string, string>> {
  const signatures = secrets.map((secret) => {
    const key = Buffer.from(secret.replace(/^whsec_/, ''), 'base64');
    return `v1,${createHmac('sha256', key).update(`${id}.${seconds}.${body}`).digest('base64')}`;
  });
  return {
    'webhook-id': id,
    'webhook-timestamp': String(seconds),
    'webhook-signature': signatures.join(' '),
  };
}
