/** The volumes: found, sorted and cut by the service, so the table is as quick with a hundred thousand. */
import { useSignal } from '@preact/signals';
import { useAnswer } from './answer.ts';
import { CreateVolume } from './create-volume.tsx';
import { listQuery, PAGE_ROWS, type Sort, sortedBy, sortOf, sortText } from './listing.ts';
import { look, place } from './navigation.ts';
import { hashOf } from './places.ts';
import type { Volume } from './resources.ts';
import { standing } from './session.ts';
import { Maybe, Name, Status, Time } from './small.tsx';

const STATUSES = [
  'available',
  'in-use',
  'creating',
  'deleting',
  'extending',
  'attaching',
  'error',
  'error_deleting',
  'error_extending',
];

export function Volumes() {
  const { query } = place.value;
  const sort = sortOf(query, { key: 'created_at', down: true });
  const { body, refusal } = useAnswer<{ readonly volumes: readonly Volume[] }>(
    `v3/volumes/detail?${listQuery(query, sort)}`,
  );
  const creating = useSignal(false);
  return (
    <>
      <div class="title">
        <h1>Volumes</h1>
        <button
          type="button"
          class="primary"
          onClick={() => {
            creating.value = true;
          }}
        >
          Create volume
        </button>
      </div>
      <Filters />
      {refusal ? (
        <p class="refused" role="alert">
          {refusal.message}
        </p>
      ) : (
        body && <Rows volumes={body.volumes} sort={sort} />
      )}
      {creating.value && (
        <CreateVolume
          onClose={() => {
            creating.value = false;
          }}
        />
      )}
    </>
  );
}

/** What is looked for begins at the first page. */
function Filters() {
  const { query } = place.value;
  const only = (more: Readonly<Record<string, string | undefined>>): void =>
    look({ ...query, marker: undefined, ...more });
  return (
    <search class="filters">
      <input
        type="search"
        aria-label="Part of the name"
        placeholder="Part of the name"
        value={query.name ?? ''}
        onInput={({ currentTarget }) => only({ name: currentTarget.value })}
      />
      <select
        aria-label="Status"
        value={query.status ?? ''}
        onChange={({ currentTarget }) => only({ status: currentTarget.value })}
      >
        <option value="">Any status</option>
        {STATUSES.map((each) => (
          <option key={each} value={each}>
            {each}
          </option>
        ))}
      </select>
      {standing.value?.session?.is_admin && (
        <label class="check">
          <input
            type="checkbox"
            checked={!!query.all}
            onChange={({ currentTarget }) => only({ all: currentTarget.checked ? '1' : undefined })}
          />
          All projects
        </label>
      )}
    </search>
  );
}

function Rows({ volumes, sort }: { readonly volumes: readonly Volume[]; readonly sort: Sort }) {
  const { path, query } = place.value;
  const isSearch = !!(query.name || query.status);
  if (volumes.length === 0)
    return (
      <p class="empty">
        {query.marker
          ? 'There are no more.'
          : isSearch
            ? 'No volume is like that.'
            : 'There is no volume yet. Create the first.'}
      </p>
    );
  const last = volumes.at(-1)?.id;
  return (
    <>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: who has no pointer moves it sideways by its keys */}
      <section class="scroll" aria-label="Table of volumes" tabIndex={0}>
        <table>
          <thead>
            <tr>
              <Column of="name" text="Name" sort={sort} />
              <Column of="status" text="Status" sort={sort} />
              <Column of="size" text="Size" sort={sort} downFirst number />
              <th scope="col">Type</th>
              <th scope="col">Attached to</th>
              <Column of="created_at" text="Created" sort={sort} downFirst />
              {query.all && <th scope="col">Project</th>}
            </tr>
          </thead>
          <tbody>
            {volumes.map((volume) => (
              <Row key={volume.id} volume={volume} withProject={!!query.all} />
            ))}
          </tbody>
        </table>
      </section>
      <p class="pages">
        {query.marker && <a href={hashOf(path, { ...query, marker: undefined })}>First page</a>}
        <span>
          {volumes.length === 1 ? '1 volume' : `${volumes.length} volumes`}
          {volumes.length === PAGE_ROWS && ' on this page'}
        </span>
        {volumes.length === PAGE_ROWS && <a href={hashOf(['volumes'], { ...query, marker: last })}>Next page</a>}
      </p>
    </>
  );
}

interface ColumnProps {
  readonly of: string;
  readonly text: string;
  readonly sort: Sort;
  readonly downFirst?: boolean;
  readonly number?: boolean;
}

function Column({ of: key, text, sort, downFirst = false, number = false }: ColumnProps) {
  const isBy = sort.key === key;
  const { path, query } = place.value;
  const next = sortText(sortedBy(sort, key, downFirst));
  return (
    <th
      scope="col"
      class={number ? 'number' : ''}
      aria-sort={isBy ? (sort.down ? 'descending' : 'ascending') : undefined}
    >
      <a href={hashOf(path.length > 0 ? path : ['volumes'], { ...query, sort: next, marker: undefined })}>
        {text}
        <span aria-hidden="true">{isBy ? (sort.down ? ' ↓' : ' ↑') : ''}</span>
      </a>
    </th>
  );
}

function Row({ volume, withProject }: { readonly volume: Volume; readonly withProject: boolean }) {
  const where = volume.attachments.map(({ server_id: server, host_name: host }) => server ?? host ?? 'somewhere');
  return (
    <tr>
      <th scope="row">
        <a href={hashOf(['volumes', volume.id])}>
          <Name of={volume} />
        </a>
      </th>
      <td>
        <Status of={volume.status} />
      </td>
      <td class="number">{volume.size} GiB</td>
      <td>
        <Maybe text={volume.volume_type} />
      </td>
      <td>
        <Maybe text={where.join(', ')} />
      </td>
      <td>
        <Time at={volume.created_at} />
      </td>
      {withProject && (
        <td>
          <Maybe text={volume['os-vol-tenant-attr:tenant_id']} />
        </td>
      )}
    </tr>
  );
}
