/**
 * Groups and consistency groups share their tables, and so do their snapshots; the calls for the one kind show none of the other. What a
 * list leaves out it leaves out before a page is cut, so that each page is full.
 */
import { findGroupTypeByName } from '../../db/group-types.ts';
import type { ListFilter } from '../../db/sql/list-query.ts';
import { CONSISTENCY_GROUP_TYPE } from '../../model/group-type.ts';
import { projectShown } from '../page.ts';
import type { ApiCall } from '../route.ts';

/** The filters that leave the other kind out of a list, and other projects where those are not shown. */
export async function ofKind(
  call: ApiCall,
  kind: 'generic' | 'consistency',
): Promise<readonly ListFilter<'groupTypeId' | 'projectId'>[]> {
  const reserved = await findGroupTypeByName(call.desk.db.read, CONSISTENCY_GROUP_TYPE);
  const projectId = projectShown(call);
  return [
    {
      is: kind === 'generic' ? 'not-in' : 'in',
      field: 'groupTypeId',
      values: reserved === undefined ? [] : [reserved.id],
    },
    ...(projectId === undefined ? [] : [{ is: 'equal', field: 'projectId', value: projectId } as const]),
  ];
}
