/** Limits of projects and of classes. What is used is counted anew and never taken over; reservations are dropped. */
import type { CinderRows } from '../cinder/cinder-tables.ts';
import { lastOf } from './types.ts';
import { FoundInRow, type ImportedRow } from './verdict.ts';

export interface MappedLimits {
  readonly rows: {
    readonly quota_limit: readonly ImportedRow<'quota_limit'>[];
    readonly quota_class_limit: readonly ImportedRow<'quota_class_limit'>[];
  };
  readonly findings: FoundInRow['findings'];
}

/** Cinder has none of these any more since 2024.1, and looked at none of it before. */
const GONE = 'consistencygroups';

export function mapLimits(
  quotas: readonly CinderRows['quotas'][],
  classes: readonly CinderRows['quota_classes'][],
): MappedLimits {
  const findings: FoundInRow['findings'] = [];
  const limits = quotas.flatMap(({ id, project_id, resource, hard_limit }) => {
    if (project_id === null || resource === GONE) return [];
    if (hard_limit !== null) return [{ project_id, resource, hard_limit }];
    const found = new FoundInRow('quota', id);
    found.add(
      'limit-null',
      `of ${resource} for project ${project_id} has no number`,
      'the default counts, as in Cinder',
    );
    findings.push(...found.findings);
    return [];
  });
  const ofClasses = classes.flatMap(({ class_name, resource, hard_limit }) =>
    class_name === null || resource === null || resource === GONE || hard_limit === null
      ? []
      : [{ class_name, resource, hard_limit }],
  );
  return {
    rows: {
      quota_limit: lastOf(limits, (row) => `${row.project_id} ${row.resource}`),
      quota_class_limit: lastOf(ofClasses, (row) => `${row.class_name} ${row.resource}`),
    },
    findings,
  };
}
