/** A volume type, as its row has it. */
import type { Timestamp } from '../lib/clock.ts';
import type { Specs } from './specs.ts';

/** The type that always exists, made with the database. */
export const DEFAULT_VOLUME_TYPE = '__DEFAULT__';

export interface VolumeType {
  readonly id: string;
  readonly name: string;
  readonly description: string | null;
  readonly isPublic: boolean;
  readonly extraSpecs: Specs;
  readonly qosSpecsId: string | null;
  readonly createdAt: Timestamp;
  readonly updatedAt: Timestamp | null;
}

export type NewVolumeType = Pick<VolumeType, 'id' | 'name'> & Partial<Omit<VolumeType, 'updatedAt'>>;

export type VolumeTypePatch = Partial<Omit<VolumeType, 'id' | 'createdAt' | 'updatedAt'>>;

/** Whether several may have a volume of it at once: `multiattach = "<is> True"`. */
export const isMultiattach = ({ extraSpecs }: Pick<VolumeType, 'extraSpecs'>): boolean =>
  /^<is>\s*true$/i.test(extraSpecs.multiattach?.trim() ?? '');
