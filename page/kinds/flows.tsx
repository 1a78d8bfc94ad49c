/** Flows: what is done, was done and failed, and what an operator may order of one. */
import { ask } from '../ask.ts';
import type { Act, Kind } from '../kind.ts';
import { PAGE_ROWS } from '../listing.ts';
import { Id, Maybe, State, Time } from '../small.tsx';
import { progressOf, resourcePlace, type Story, spoken, stateTone, stateWord } from '../story.ts';
import { EveryStep, FlowLines } from '../time-line.tsx';
import { WhyShown } from '../why.tsx';

type Order = 'resume' | 'revert' | 'cancel' | 'abandon';

function order(wish: Order, text: string, about: string, whyNot: (flow: Story) => string | undefined): Act<Story> {
  return {
    text,
    button: `${text} the flow`,
    ...(wish === 'resume' ? {} : { danger: true }),
    title: ({ name }) => `${text}: ${spoken(name)}`,
    about: () => about,
    whyNot,
    fields: [{ name: 'reason', label: 'Reason', hint: 'Kept with the flow, and who gave it.' }],
    async send(typed, { id }) {
      await ask('POST', `pumice/v1/flows/${id}/action`, { [wish]: typed });
      return { tell: 'The order is given.' };
    },
  };
}

const ifStuck = ({ state }: Story): string | undefined =>
  state === 'stuck' ? undefined : 'Only of a flow that is stuck.';
const unlessEnded = ({ ended_at: at }: Story): string | undefined => (at === null ? undefined : 'It has ended.');

export const flows: Kind<Story> = {
  view: 'flows',
  title: 'Flows',
  word: ['flow', 'flows'],
  list: { path: 'pumice/v1/flows', key: 'flows' },
  single: { path: (id) => `pumice/v1/flows/${id}`, key: null },
  statuses: ['pending', 'running', 'reverting', 'stuck', 'success', 'reverted'],
  hasNames: false,
  nameOf: ({ name }) => spoken(name),
  query({ status, marker, resource }) {
    const wanted = new URLSearchParams({ limit: String(PAGE_ROWS) });
    if (status) wanted.set('state', status);
    if (marker) wanted.set('marker', marker);
    if (resource) wanted.set('resource', resource);
    return wanted.toString();
  },
  columns: [
    { text: 'State', cell: ({ state }) => <State tone={stateTone(state)} word={stateWord(state)} /> },
    { text: 'Of', cell: ({ resource }) => <Resource of={resource} /> },
    { text: 'At', cell: (flow) => <At flow={flow} /> },
    { text: 'Begun', cell: ({ created_at: at }) => <Time at={at} /> },
    { text: 'Ended', cell: ({ ended_at: at }) => <Time at={at} /> },
  ],
  acts: [
    order('resume', 'Resume', 'What failed is tried again.', ifStuck),
    order('cancel', 'Cancel', 'It stops at the next task, and all that it has done is undone.', unlessEnded),
    order('revert', 'Revert', 'It is undone, even one that destroys and would only go forward.', unlessEnded),
    order(
      'abandon',
      'Abandon',
      'The revert that it is stuck in is given up, with what that has not undone. The others go on.',
      ifStuck,
    ),
  ],
  facts: (flow) => [
    ['State', <State key="state" tone={stateTone(flow.state)} word={stateWord(flow.state)} />],
    ['Of', <Resource key="of" of={flow.resource} />],
    ['Begun', <Time key="begun" at={flow.created_at} long />],
    ['Ended', <Time key="ended" at={flow.ended_at} long />],
    ['Request', <Maybe key="request" text={flow.request_id} />],
    ['Project', flow.project_id],
    ...(flow.lane ? ([['Runs in', flow.lane]] as const) : []),
    ...(flow.wish ? ([['Ordered', `${flow.wish} (${flow.wish_reason ?? ''})`]] as const) : []),
  ],
  more: (flow) => (
    <>
      <WhyShown id={flow.id} />
      <section>
        <h2>Time line</h2>
        <div class="flow">
          <FlowLines story={flow} />
        </div>
        <EveryStep story={flow} />
      </section>
    </>
  ),
};

export function Resource({ of: resource }: { readonly of: string }) {
  const { view, id } = resourcePlace(resource);
  return (
    <>
      {spoken(resource.split(':', 1)[0] ?? '')}{' '}
      {view === undefined ? <code>{id.slice(0, 8)}</code> : <Id view={view} id={id} />}
    </>
  );
}

/** Where it is, and how far. */
export function At({ flow: { doing } }: { readonly flow: Pick<Story, 'doing'> }) {
  if (doing === null) return <Maybe text={null} />;
  const progress = progressOf(doing);
  return (
    <span class="at">
      {spoken(doing.node)}
      {progress !== null && (
        <>
          {' '}
          <progress max={1} value={progress} aria-label={`How far ${spoken(doing.node)} is`} />{' '}
          {Math.floor(progress * 100)} %
        </>
      )}
    </span>
  );
}
