/** The first view: what is stuck and what runs, what failed lately and why, and how much room there is. */
import { Alarms } from './alarms.tsx';
import { useAnswer } from './answer.ts';
import { At, Resource } from './kinds/flows.tsx';
import type { Volume } from './kinds/volume.ts';
import { hashOf } from './places.ts';
import { Pools } from './pools.tsx';
import { Quota } from './quota.tsx';
import { standing } from './session.ts';
import { Name, State, Status, Time } from './small.tsx';
import { type Flow, spoken, stateTone, stateWord } from './story.ts';

const MOST = 30;

export function Overview() {
  const { body } = useAnswer<{ readonly flows: readonly Flow[]; readonly next: string | null }>(
    `pumice/v1/flows?unended=true&limit=${MOST}`,
  );
  const isAdmin = standing.value?.session?.is_admin === true;
  const flows = body?.flows ?? [];
  const stuck = flows.filter(({ state }) => state === 'stuck');
  const running = flows.filter(({ state }) => state !== 'stuck');
  return (
    <>
      <div class="title">
        <h1>Overview</h1>
      </div>
      {isAdmin && <Alarms />}
      {stuck.length > 0 && (
        <Flows title="Stuck" flows={stuck} hint="Each waits for an operator: open it and resume it, or abandon it." />
      )}
      {body && (
        <Flows
          title="Running"
          flows={running}
          hint={running.length === 0 ? 'Nothing runs now.' : body.next ? 'There are more: see all flows.' : ''}
        />
      )}
      <div class="columns">
        <Failures />
        <InError />
        <Counts />
        <Quota of={['volumes', 'gigabytes', 'snapshots', 'backups']} />
        {isAdmin && <Pools />}
      </div>
    </>
  );
}

interface FlowsProps {
  readonly title: string;
  readonly flows: readonly Flow[];
  readonly hint: string;
}

function Flows({ title, flows, hint }: FlowsProps) {
  return (
    <section>
      <h2>
        {title} {flows.length > 0 && <span class="count">{flows.length}</span>}
      </h2>
      {flows.length > 0 && (
        // biome-ignore lint/a11y/noNoninteractiveTabindex: who has no pointer moves it sideways by its keys
        <section class="scroll" aria-label={`Table of what is ${title.toLowerCase()}`} tabIndex={0}>
          <table>
            <tbody>
              {flows.map((flow) => (
                <tr key={flow.id}>
                  <th scope="row">
                    <a href={hashOf(['flows', flow.id])}>{spoken(flow.name)}</a>
                  </th>
                  <td>
                    <State tone={stateTone(flow.state)} word={stateWord(flow.state)} />
                  </td>
                  <td>
                    <Resource of={flow.resource} />
                  </td>
                  <td>
                    <At flow={flow} />
                  </td>
                  <td>
                    <Time at={flow.created_at} />
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </section>
      )}
      {hint && <p class="hint">{hint}</p>}
    </section>
  );
}

interface Told {
  readonly id: string;
  readonly user_message: string;
  readonly created_at: string;
  readonly resource_type: string;
  readonly resource_uuid: string | null;
}

function Failures() {
  const { body } = useAnswer<{ readonly messages: readonly Told[] }>('v3/messages?limit=6&sort=created_at:desc');
  const messages = body?.messages ?? [];
  return (
    <section>
      <h2>Failed lately</h2>
      {messages.length === 0 && <p class="hint">Nothing.</p>}
      <ul class="messages">
        {messages.map(({ id, user_message: text, created_at: at, resource_type: type, resource_uuid: resource }) => (
          <li key={id}>
            <Time at={at} /> {resource && <Resource of={`${type.replace(/^VOLUME_/, '').toLowerCase()}:${resource}`} />}
            <p>{text}</p>
          </li>
        ))}
      </ul>
    </section>
  );
}

const COUNTED = [
  ['volumes', 'Volumes'],
  ['snapshots', 'Snapshots'],
  ['backups', 'Backups'],
] as const;

function Counts() {
  const { body } = useAnswer<Readonly<Record<string, Readonly<Record<string, number>>>>>('pumice/v1/counts');
  return (
    <section>
      <h2>By status</h2>
      {COUNTED.map(([view, title]) => {
        const counts = Object.entries(body?.[view] ?? {});
        return (
          counts.length > 0 && (
            <p key={view} class="counts">
              {title}:{' '}
              {counts.map(([status, count]) => (
                <a key={status} href={hashOf([view], { status })}>
                  {count} <Status of={status} />
                </a>
              ))}
            </p>
          )
        );
      })}
      {body && COUNTED.every(([view]) => Object.keys(body[view] ?? {}).length === 0) && (
        <p class="hint">There is nothing.</p>
      )}
    </section>
  );
}

function InError() {
  const { body } = useAnswer<{ readonly volumes: readonly Volume[] }>('v3/volumes/detail?limit=6&status~=error');
  const volumes = body?.volumes ?? [];
  return (
    <section>
      <h2>Volumes in error</h2>
      {volumes.length === 0 && <p class="hint">None.</p>}
      <ul class="plain">
        {volumes.map((volume) => (
          <li key={volume.id}>
            <a href={hashOf(['volumes', volume.id])}>
              <Name of={volume} />
            </a>{' '}
            <Status of={volume.status} />
          </li>
        ))}
      </ul>
    </section>
  );
}
