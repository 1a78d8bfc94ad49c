/** The hosts of the site, for administrators: which services run where, whether they are heard of, the room that they have, and where events go. */
import { useAnswer } from './answer.ts';
import { Pools } from './pools.tsx';
import { Sinks } from './sinks.tsx';
import { Maybe, State, Time } from './small.tsx';

interface Service {
  readonly binary: string;
  readonly host: string;
  readonly zone: string;
  readonly status: 'enabled' | 'disabled';
  readonly state: 'up' | 'down';
  readonly updated_at: string | null;
  readonly disabled_reason?: string | null;
}

export function Hosts() {
  const { body, refusal } = useAnswer<{ readonly services: readonly Service[] }>('v3/os-services');
  return (
    <>
      <div class="title">
        <h1>Hosts</h1>
      </div>
      {refusal && (
        <p class="refused" role="alert">
          {refusal.message}
        </p>
      )}
      {body && (
        // biome-ignore lint/a11y/noNoninteractiveTabindex: who has no pointer moves it sideways by its keys
        <section class="scroll" aria-label="Table of services" tabIndex={0}>
          <table>
            <thead>
              <tr>
                {['Host', 'Service', 'State', 'Takes new volumes', 'Zone', 'Heard of'].map((text) => (
                  <th key={text} scope="col">
                    {text}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {body.services.map((service) => (
                <ServiceRow key={`${service.binary} ${service.host}`} service={service} />
              ))}
            </tbody>
          </table>
        </section>
      )}
      <Sinks />
      <div class="columns">
        <Pools />
      </div>
    </>
  );
}

function ServiceRow({ service }: { readonly service: Service }) {
  const { binary, host, zone, status, state, updated_at: heardOf, disabled_reason: reason } = service;
  return (
    <tr>
      <th scope="row">{host}</th>
      <td>{binary}</td>
      <td>
        <State tone={state === 'up' ? 'good' : 'bad'} word={state} />
      </td>
      <td>{status === 'enabled' ? 'yes' : `no${reason ? `: ${reason}` : ''}`}</td>
      <td>
        <Maybe text={zone} />
      </td>
      <td>
        <Time at={heardOf} />
      </td>
    </tr>
  );
}
