/** What each project uses, counted from the rows that come in, beside what Cinder says. */
import { backupQuota, GROUP_QUOTA, type QuotaDeltas, snapshotQuota, volumeQuota } from '../../model/quota.ts';
import type { CinderDatabase } from '../cinder/cinder-database.ts';
import type { MapWorld } from '../map/map-world.ts';
import type { ImportedRows } from '../map/verdict.ts';
import type { UsageDifference } from './check-report.ts';

export class CountedUsage {
  readonly #projects = new Map<string, Map<string, number>>();
  /** By Cinder's names, which its usage goes by, by id. */
  readonly #types: ReadonlyMap<string, string>;
  readonly #snapshotGigabytes: boolean;

  constructor({ typeRows }: MapWorld, snapshotGigabytes: boolean) {
    this.#types = new Map(typeRows.map(({ id, name }) => [id, name ?? id]));
    this.#snapshotGigabytes = snapshotGigabytes;
  }

  count({ volume = [], snapshot = [], volume_group: groups = [], backup = [] }: ImportedRows): void {
    for (const { project_id, use_quota, size_gib, volume_type_id } of volume)
      if (use_quota === 1) this.#add(project_id, volumeQuota(size_gib, this.#type(volume_type_id)));
    for (const { project_id, use_quota, volume_size_gib, volume_type_id } of snapshot)
      if (use_quota === 1)
        this.#add(project_id, snapshotQuota(volume_size_gib, this.#type(volume_type_id), this.#snapshotGigabytes));
    for (const { project_id } of groups) this.#add(project_id, GROUP_QUOTA);
    for (const { project_id, size_gib } of backup) this.#add(project_id, backupQuota(size_gib));
  }

  async differences(cinder: CinderDatabase): Promise<readonly UsageDifference[]> {
    const said = new Map<string, Map<string, number>>();
    for await (const rows of cinder.living('quota_usages'))
      for (const { project_id, resource, in_use } of rows)
        if (project_id !== null && resource !== null && resource !== 'consistencygroups')
          entry(said, project_id).set(resource, in_use);
    const projects = new Set([...said.keys(), ...this.#projects.keys()]);
    return [...projects].sort().flatMap((projectId) => {
      const [theirs, ours] = [said.get(projectId), this.#projects.get(projectId)];
      const resources = new Set([...(theirs?.keys() ?? []), ...(ours?.keys() ?? [])]);
      return [...resources].sort().flatMap((resource) => {
        const [is, counted] = [theirs?.get(resource) ?? 0, ours?.get(resource) ?? 0];
        return is === counted ? [] : [{ projectId, resource, said: is, counted }];
      });
    });
  }

  #type(id: string): string {
    return this.#types.get(id) ?? id;
  }

  #add(projectId: string, deltas: QuotaDeltas): void {
    const used = entry(this.#projects, projectId);
    for (const [resource, delta] of Object.entries(deltas)) used.set(resource, (used.get(resource) ?? 0) + delta);
  }
}

function entry(projects: Map<string, Map<string, number>>, projectId: string): Map<string, number> {
  let used = projects.get(projectId);
  if (used === undefined) {
    used = new Map();
    projects.set(projectId, used);
  }
  return used;
}
