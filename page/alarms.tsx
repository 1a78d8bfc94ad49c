/** What an operator should know without asking: one line a cause, with what it means and what to do. */
import { useAnswer } from './answer.ts';
import { Time } from './small.tsx';

interface Alarm {
  readonly alarm: string;
  readonly about: string;
  readonly severity: string;
  readonly since: string;
  readonly message: string;
  readonly means: string;
  readonly advice: string;
}

export function Alarms() {
  const { body } = useAnswer<{ readonly alarms: readonly Alarm[] }>('pumice/v1/alarms');
  if (body === undefined || body.alarms.length === 0) return null;
  return (
    <section>
      <h2>
        Alarms <span class="count">{body.alarms.length}</span>
      </h2>
      <ul class="messages">
        {body.alarms.map((alarm) => (
          <li key={`${alarm.alarm} ${alarm.about}`}>
            <strong>{alarm.message}</strong>
            <p>Means: {alarm.means}.</p>
            <p>Do: {alarm.advice}.</p>
            <p class="hint">
              {alarm.severity}, {alarm.about}, since <Time at={alarm.since} long />
            </p>
          </li>
        ))}
      </ul>
    </section>
  );
}
