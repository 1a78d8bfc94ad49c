/** The table of a kind: found, sorted and cut by the service, so it is as quick with a hundred thousand rows. */
import { ActButton } from './act.tsx';
import { useAnswer } from './answer.ts';
import type { Column, Kind, Row } from './kind.ts';
import { listQuery, PAGE_ROWS, type Sort, sortedBy, sortOf, sortText } from './listing.ts';
import { look, place } from './navigation.ts';
import { hashOf } from './places.ts';
import { standing } from './session.ts';
import { Maybe, Name } from './small.tsx';

const NEWEST: Sort = { key: 'created_at', down: true };

export function Table<R extends Row>({ kind }: { readonly kind: Kind<R> }) {
  const { query } = place.value;
  const sort = sortOf(query, NEWEST);
  const { body, refusal } = useAnswer<Readonly<Record<string, readonly R[]>>>(
    `${kind.list.path}?${kind.query?.(query) ?? listQuery(query, sort)}`,
  );
  return (
    <>
      <div class="title">
        <h1>{kind.title}</h1>
        <div class="acts">
          {kind.starts?.map((act, index) => (
            <ActButton key={act.text} act={act} row={undefined} primary={index === 0} />
          ))}
        </div>
      </div>
      <Filters kind={kind} />
      {refusal && (
        <p class="refused" role="alert">
          {refusal.message}
        </p>
      )}
      {body && <Rows kind={kind} rows={body[kind.list.key] ?? []} sort={sort} />}
    </>
  );
}

/** What is looked for begins at the first page. */
function Filters<R extends Row>({ kind }: { readonly kind: Kind<R> }) {
  const { query } = place.value;
  const only = (more: Readonly<Record<string, string | undefined>>): void =>
    look({ ...query, marker: undefined, ...more });
  return (
    <search class="filters">
      {kind.hasNames && (
        <input
          type="search"
          aria-label="Part of the name"
          placeholder="Part of the name"
          value={query.name ?? ''}
          onInput={({ currentTarget }) => only({ name: currentTarget.value })}
        />
      )}
      {kind.statuses && (
        <select
          aria-label="Status"
          value={query.status ?? ''}
          onChange={({ currentTarget }) => only({ status: currentTarget.value })}
        >
          <option value="">Any status</option>
          {kind.statuses.map((each) => (
            <option key={each} value={each}>
              {each}
            </option>
          ))}
        </select>
      )}
      {kind.projectOf && standing.value?.session?.is_admin && (
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

interface RowsProps<R extends Row> {
  readonly kind: Kind<R>;
  readonly rows: readonly R[];
  readonly sort: Sort;
}

function Rows<R extends Row>({ kind, rows, sort }: RowsProps<R>) {
  const { query } = place.value;
  const [one, many] = kind.word;
  if (rows.length === 0) {
    const isSearch = !!(query.name || query.status);
    const why = query.marker ? 'There are no more.' : isSearch ? `No ${one} is like that.` : `There is no ${one} yet.`;
    return <p class="empty">{why}</p>;
  }
  const isFull = rows.length === PAGE_ROWS;
  return (
    <>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: who has no pointer moves it sideways by its keys */}
      <section class="scroll" aria-label={`Table of ${many}`} tabIndex={0}>
        <table>
          <thead>
            <tr>
              <Head column={{ text: 'Name', ...(kind.hasNames && { sort: 'name' }), cell: () => null }} sort={sort} />
              {kind.columns.map((column) => (
                <Head key={column.text} column={column} sort={sort} />
              ))}
              {query.all && <th scope="col">Project</th>}
            </tr>
          </thead>
          <tbody>
            {rows.map((row) => (
              <tr key={row.id}>
                <th scope="row">
                  <a href={hashOf([kind.view, row.id])}>
                    <Name of={{ id: row.id, name: kind.nameOf?.(row) ?? row.name ?? null }} />
                  </a>
                </th>
                {kind.columns.map((column) => (
                  <td key={column.text} class={column.number ? 'number' : ''}>
                    {column.cell(row)}
                  </td>
                ))}
                {query.all && (
                  <td>
                    <Maybe text={kind.projectOf?.(row)} />
                  </td>
                )}
              </tr>
            ))}
          </tbody>
        </table>
      </section>
      <p class="pages">
        {query.marker && <a href={hashOf([kind.view], { ...query, marker: undefined })}>First page</a>}
        <span>
          {rows.length} {rows.length === 1 ? one : many}
          {isFull && ' on this page'}
        </span>
        {isFull && <a href={hashOf([kind.view], { ...query, marker: rows.at(-1)?.id })}>Next page</a>}
      </p>
    </>
  );
}

function Head<R extends Row>({ column, sort }: { readonly column: Column<R>; readonly sort: Sort }) {
  const { text, sort: key, downFirst = false, number } = column;
  const { path, query } = place.value;
  if (key === undefined) return <th scope="col">{text}</th>;
  const isBy = sort.key === key;
  const next = sortText(sortedBy(sort, key, downFirst));
  return (
    <th
      scope="col"
      class={number ? 'number' : ''}
      aria-sort={isBy ? (sort.down ? 'descending' : 'ascending') : undefined}
    >
      <a href={hashOf(path, { ...query, sort: next, marker: undefined })}>
        {text}
        <span aria-hidden="true">{isBy ? (sort.down ? ' ↓' : ' ↑') : ''}</span>
      </a>
    </th>
  );
}
