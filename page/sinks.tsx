/** Where events go, for administrators: what each took last, since when it fails, and when it is tried again. */
import type { ComponentChildren } from 'preact';
import { useAnswer } from './answer.ts';
import { Resource } from './kinds/flows.tsx';
import { Maybe, State, Time } from './small.tsx';

interface Retried {
  readonly tries: number;
  readonly reason: string | null;
  readonly next_try_at: string | null;
}

interface Waiting extends Retried {
  readonly resource: string;
  readonly since: string;
}

interface Sink extends Retried {
  readonly sink: string;
  readonly state: 'well' | 'failing' | 'untried';
  readonly succeeded_at: string | null;
  readonly failing_since: string | null;
  readonly waiting: readonly Waiting[];
}

const TONES = { well: 'good', failing: 'bad', untried: 'quiet' } as const;

export function Sinks() {
  const { body } = useAnswer<{ readonly sinks: readonly Sink[] }>('pumice/v1/sinks');
  if (body === undefined || body.sinks.length === 0) return null;
  return (
    <section>
      <h2>Where events go</h2>
      <Table
        label="Table of sinks of events"
        titles={['Sink', 'State', 'Last success', 'Failing since', 'Failed tries', 'Next try', 'Why']}
      >
        {body.sinks.map((sink) => (
          <tr key={sink.sink}>
            <th scope="row">{sink.sink}</th>
            <td>
              <State tone={TONES[sink.state]} word={sink.state} />
            </td>
            <td>
              <Time at={sink.succeeded_at} />
            </td>
            <td>
              <Time at={sink.failing_since} />
            </td>
            <td>{sink.state === 'failing' ? sink.tries : <Maybe text={null} />}</td>
            <td>{sink.state === 'failing' ? <NextTry of={sink} /> : <Maybe text={null} />}</td>
            <td>
              <Maybe text={sink.reason} />
            </td>
          </tr>
        ))}
      </Table>
      {body.sinks.map(({ sink, waiting }) => waiting.length > 0 && <Waiters key={sink} sink={sink} of={waiting} />)}
    </section>
  );
}

function Waiters({ sink, of }: { readonly sink: string; readonly of: readonly Waiting[] }) {
  return (
    <>
      <p>
        At {sink} the events of {of.length} wait for one that was refused; those of all others go on.
      </p>
      <Table
        label={`Table of what waits at ${sink}`}
        titles={['Events of', 'Since', 'Failed tries', 'Next try', 'Why']}
      >
        {of.map((waiting) => (
          <tr key={waiting.resource}>
            <th scope="row">
              <Resource of={waiting.resource} />
            </th>
            <td>
              <Time at={waiting.since} />
            </td>
            <td>{waiting.tries}</td>
            <td>
              <NextTry of={waiting} />
            </td>
            <td>{waiting.reason}</td>
          </tr>
        ))}
      </Table>
    </>
  );
}

/** None: nothing is tried before the service starts again. */
function NextTry({ of: { next_try_at: at } }: { readonly of: Retried }) {
  return at === null ? <>at a restart</> : <Time at={at} />;
}

interface TableProps {
  readonly label: string;
  readonly titles: readonly string[];
  readonly children: ComponentChildren;
}

function Table({ label, titles, children }: TableProps) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: who has no pointer moves it sideways by its keys
    <section class="scroll" aria-label={label} tabIndex={0}>
      <table>
        <thead>
          <tr>
            {titles.map((text) => (
              <th key={text} scope="col">
                {text}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>{children}</tbody>
      </table>
    </section>
  );
}
