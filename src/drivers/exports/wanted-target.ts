/** A target as it should be, and whether one is so. */

import type { LogicalUnit, Target } from './tgt-show.ts';
import { LUN } from './tgtadm.ts';

export interface WantedTarget {
  readonly name: string;
  readonly path: string;
  readonly scsiId: string;
  readonly readOnly: boolean;
  readonly user: string;
  readonly initiator: string;
}

export const unitOf = ({ units }: Target): LogicalUnit | undefined => units.find(({ lun }) => lun === LUN);

export const isOnline = (target: Target): boolean => unitOf(target)?.online ?? true;

export function isAsWanted(target: Target, wanted: WantedTarget): boolean {
  const unit = unitOf(target);
  const { name, path, scsiId, readOnly, user, initiator } = wanted;
  return (
    target.name === name &&
    unit !== undefined &&
    unit.path === path &&
    unit.scsiId === scsiId &&
    unit.readOnly === readOnly &&
    isOnly(target.accounts, user) &&
    isOnly(target.initiators, initiator)
  );
}

const isOnly = (all: readonly string[], one: string): boolean => all.length === 1 && all[0] === one;
