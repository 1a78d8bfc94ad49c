/**
 * QoS specs: limits on what the volumes of a type take of their backend or of the host they are attached to.
 *
 * They are enforced by the *consumer*: the front end, where a volume is attached, is told them with the connection; the back
 * end is the driver.
 */
import type { Timestamp } from '../lib/clock.ts';
import type { Specs } from './specs.ts';

export const QOS_CONSUMERS = ['front-end', 'back-end', 'both'] as const;
export type QosConsumer = (typeof QOS_CONSUMERS)[number];

export interface QosSpecs {
  readonly id: string;
  readonly name: string;
  readonly consumer: QosConsumer;
  readonly specs: Specs;
  readonly createdAt: Timestamp;
  readonly updatedAt: Timestamp | null;
}

export type NewQosSpecs = Pick<QosSpecs, 'id' | 'name' | 'consumer' | 'specs'>;
export type QosSpecsPatch = Partial<Pick<QosSpecs, 'consumer' | 'specs'>>;

const PER_GB = /_per_gb$/;
const PER_GB_MIN = /_per_gb_min$/;

/** What the host is told that a volume of this size is attached to; null when it is told nothing. */
export const frontEndSpecs = ({ consumer, specs }: QosSpecs, sizeGiB: number): Specs | null =>
  consumer === 'back-end' ? null : perVolume(specs, sizeGiB);

/** What the driver keeps a volume of this size to; null when that is nothing of its. */
export const backEndSpecs = ({ consumer, specs }: QosSpecs, sizeGiB: number): Specs | null =>
  consumer === 'front-end' ? null : perVolume(specs, sizeGiB);

/** A spec `…_per_gb` becomes the spec of a volume: so much for each GiB, and not less than `…_per_gb_min`. */
function perVolume(specs: Specs, sizeGiB: number): Specs {
  const told = Object.entries(specs).flatMap(([key, value]): [string, string | null][] => {
    if (PER_GB_MIN.test(key)) return [];
    if (!PER_GB.test(key)) return [[key, value]];
    const perVolume = Math.max(Number(value) * sizeGiB, Number(specs[`${key}_min`] ?? 0));
    return Number.isFinite(perVolume) ? [[key.replace(PER_GB, ''), String(perVolume)]] : [];
  });
  return Object.fromEntries(told);
}
