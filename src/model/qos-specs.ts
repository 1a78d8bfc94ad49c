/**
 * Specs of quality of service: what the volumes of a type may take of their backend or of the host they are attached to.
 *
 * Who enforces them is the *consumer*: the front end, where a volume is attached, is told them with the connection; the back
 * end is the driver.
 */
import type { Timestamp } from '../lib/clock.ts';

export const QOS_CONSUMERS = ['front-end', 'back-end', 'both'] as const;
export type QosConsumer = (typeof QOS_CONSUMERS)[number];

export interface QosSpecs {
  readonly id: string;
  readonly name: string;
  readonly consumer: QosConsumer;
  readonly specs: Readonly<Record<string, string>>;
  readonly createdAt: Timestamp;
  readonly updatedAt: Timestamp | null;
}

export type NewQosSpecs = Pick<QosSpecs, 'id' | 'name' | 'consumer' | 'specs'>;
export type QosSpecsPatch = Partial<Pick<QosSpecs, 'consumer' | 'specs'>>;
