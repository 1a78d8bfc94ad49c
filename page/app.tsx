/** The frame of the page: who is signed in, where one may go, and whether the service answers. */
import type { ComponentChildren } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { lostSince } from './connection.ts';
import { Doctor } from './doctor.tsx';
import { Hosts } from './hosts.tsx';
import type { Kind } from './kind.ts';
import { attachments } from './kinds/attachments.tsx';
import { backups } from './kinds/backups.tsx';
import { flows } from './kinds/flows.tsx';
import { groupSnapshots } from './kinds/group-snapshots.tsx';
import { groups } from './kinds/groups.tsx';
import { snapshots } from './kinds/snapshots.tsx';
import { transfers } from './kinds/transfers.tsx';
import { types } from './kinds/types.tsx';
import { volumes } from './kinds/volumes.tsx';
import { begun, changes } from './live.ts';
import { place } from './navigation.ts';
import { note } from './note.ts';
import { Overview } from './overview.tsx';
import { hashOf } from './places.ts';
import { ResourcePage } from './resource.tsx';
import { type Session, standing } from './session.ts';
import { readStanding, SignIn, signIn, signOut } from './sign-in.tsx';
import { Table } from './table.tsx';
import { exactTime } from './times.ts';

// biome-ignore lint/suspicious/noExplicitAny: each is of rows of its own, and goes on as one with its views
const KINDS: readonly Kind<any>[] = [
  ...[volumes, snapshots, groups, groupSnapshots],
  ...[backups, attachments, transfers, types, flows],
];

/** For administrators alone. */
const OPERATORS: readonly {
  readonly view: string;
  readonly title: string;
  readonly Content: () => ComponentChildren;
}[] = [
  { view: 'hosts', title: 'Hosts', Content: Hosts },
  { view: 'doctor', title: 'Doctor', Content: Doctor },
];

export function App() {
  // Also while nobody answers yet: the page may have come from a service that has ended since.
  useEffect(() => {
    if (standing.value === undefined) void readStanding().catch(() => {});
  }, [standing.value, changes.value]);
  const stands = standing.value;
  return (
    <>
      <Lost />
      {stands === undefined ? (
        <p class="waiting">One moment…</p>
      ) : stands.session === null ? (
        <SignIn {...stands} />
      ) : (
        <Frame {...stands.session} />
      )}
      <p class="note" role="status">
        {note.value}
      </p>
    </>
  );
}

/** Not at once: a request that fails once is no news. */
function Lost() {
  const since = lostSince.value;
  if (since === null || (changes.value >= 0 && Date.now() - since < 2_000)) return null;
  return (
    <p class="lost" role="alert">
      No connection to the service since {exactTime(since).slice(11)}. What is shown is as it was then; it is tried
      again by itself.
    </p>
  );
}

function Frame(session: Session) {
  const { path } = place.value;
  const main = useRef<HTMLElement>(null);
  const view = path.join('/');
  const [name, id] = path;
  const kind = KINDS.find((each) => each.view === name);
  const operators = session.is_admin ? OPERATORS : [];
  const theirs = operators.find((each) => each.view === name);
  const first = useRef(view);
  // Whoever goes on by keyboard or ear is at the beginning of what has come.
  useEffect(() => {
    if (first.current !== view) main.current?.focus();
    first.current = view;
  }, [view]);
  return (
    <div key={session.project.id} class="frame">
      <button type="button" class="skip" onClick={() => main.current?.focus()}>
        Skip to the content
      </button>
      <header>
        <a class="brand" href={hashOf([])}>
          <img src={document.querySelector<HTMLLinkElement>('link[rel=icon]')?.href} alt="" width="28" height="28" />
          Pumice
        </a>
        <nav aria-label="Views">
          <a href={hashOf([])} aria-current={kind === undefined && theirs === undefined ? 'page' : undefined}>
            Overview
          </a>
          {KINDS.map(({ view: name, title }) => (
            <a key={name} href={hashOf([name])} aria-current={kind?.view === name ? 'page' : undefined}>
              {title}
            </a>
          ))}
          {operators.map(({ view: name, title }) => (
            <a key={name} href={hashOf([name])} aria-current={theirs?.view === name ? 'page' : undefined}>
              {title}
            </a>
          ))}
        </nav>
        <Who {...session} />
      </header>
      <main ref={main} id="main" tabIndex={-1}>
        {theirs ? (
          <theirs.Content />
        ) : kind === undefined ? (
          <Overview />
        ) : id ? (
          <ResourcePage key={view} kind={kind} id={id} />
        ) : (
          <Table key={view} kind={kind} />
        )}
      </main>
    </div>
  );
}

function Who({ user, project, projects }: Session) {
  const change = async (id: string): Promise<void> => {
    await signIn({ project: id }).catch(() => readStanding());
    begun();
  };
  return (
    <div class="who">
      {projects.length > 1 ? (
        <select
          aria-label="Project"
          value={project.id}
          onChange={({ currentTarget }) => void change(currentTarget.value)}
        >
          {projects.map(({ id, name }) => (
            <option key={id} value={id}>
              {name}
            </option>
          ))}
        </select>
      ) : (
        <span>{project.name}</span>
      )}
      <span class="user">{user.name}</span>
      <button type="button" onClick={() => void signOut().catch(() => {})}>
        Sign out
      </button>
    </div>
  );
}
