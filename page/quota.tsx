/** What a project has of what it may have. */
import { useAnswer } from './answer.ts';
import type { QuotaSet } from './resources.ts';
import { standing } from './session.ts';

const WORDS: Readonly<Record<string, string>> = {
  volumes: 'Volumes',
  gigabytes: 'GiB',
  snapshots: 'Snapshots',
  backups: 'Backups',
  backup_gigabytes: 'GiB of backups',
};

export function Quota({ of: resources }: { readonly of: readonly string[] }) {
  const project = standing.value?.session?.project;
  const { body } = useAnswer<{ readonly quota_set: QuotaSet }>(
    project === undefined ? null : `v3/os-quota-sets/${encodeURIComponent(project.id)}?usage=true`,
  );
  if (body === undefined || project === undefined) return null;
  return (
    <section class="quota">
      <h2>Quota of {project.name}</h2>
      {resources.map((resource) => {
        const { limit, in_use: inUse, reserved } = body.quota_set[resource] ?? { limit: -1, in_use: 0, reserved: 0 };
        const used = inUse + reserved;
        const text = `${WORDS[resource] ?? resource}: ${used} of ${limit < 0 ? 'any number' : limit}`;
        return (
          <div key={resource}>
            <span>{text}</span>
            {limit > 0 && <meter aria-label={text} min={0} max={limit} high={limit * 0.9} optimum={0} value={used} />}
          </div>
        );
      })}
    </section>
  );
}
