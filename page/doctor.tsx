/** The doctor, for administrators: what must be so and is not, as it found it last, and an order to look again. It repairs nothing here. */
import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { useAnswer } from './answer.ts';
import { ask } from './ask.ts';
import { lookAgain } from './live.ts';
import { Refusal } from './refusal.ts';
import { Time } from './small.tsx';

const LOOK_MS = 1_000;

interface Note {
  readonly check: string;
  readonly about: string;
  readonly says: string;
  readonly advice: string | null;
}

interface Finding extends Note {
  readonly remedy: string | null;
}

interface State {
  readonly running_since: string | null;
  readonly last: {
    readonly ended_at: string;
    readonly failure: string | null;
    readonly report: { readonly findings: readonly Finding[]; readonly notes: readonly Note[] } | null;
  } | null;
}

export function Doctor() {
  const { body, refusal } = useAnswer<State>('pumice/v1/doctor');
  const refused = useSignal<string | undefined>(undefined);
  const examine = async (): Promise<void> => {
    try {
      await ask('POST', 'pumice/v1/doctor');
      refused.value = undefined;
      lookAgain();
    } catch (error) {
      refused.value = error instanceof Refusal ? error.message : 'The service does not answer.';
    }
  };
  const isRunning = body?.running_since != null;
  // Nobody is told when it has ended.
  useEffect(() => {
    if (!isRunning) return;
    const timer = setInterval(lookAgain, LOOK_MS);
    return () => clearInterval(timer);
  }, [isRunning]);
  const told = refused.value ?? refusal?.message;
  return (
    <>
      <div class="title">
        <h1>Doctor</h1>
        <div class="acts">
          <button type="button" class="primary" aria-disabled={isRunning} onClick={() => void examine()}>
            Examine
          </button>
        </div>
      </div>
      {told && (
        <p class="refused" role="alert">
          {told}
        </p>
      )}
      <p class="hint" role="status">
        {isRunning ? (
          <>
            It examines since <Time at={body.running_since} long />. Large backends take some minutes.
          </>
        ) : body?.last ? (
          <>
            It has looked <Time at={body.last.ended_at} long />.
          </>
        ) : (
          body && 'It has not looked since this server began.'
        )}
      </p>
      {body?.last?.failure && <p class="refused">It could not examine: {body.last.failure}</p>}
      {body?.last?.report && <Report {...body.last.report} />}
    </>
  );
}

function Report({ findings, notes }: { readonly findings: readonly Finding[]; readonly notes: readonly Note[] }) {
  return (
    <>
      <section>
        <h2>
          Findings <span class="count">{findings.length}</span>
        </h2>
        {findings.length === 0 && <p class="hint">All is as it must be.</p>}
        <ul class="messages">
          {findings.map((finding) => (
            <li key={`${finding.check} ${finding.about} ${finding.says}`}>
              <strong>{finding.about}</strong> {finding.says}
              {finding.advice && <p>Do: {finding.advice}.</p>}
              {finding.remedy && (
                <p>
                  <code>pumice doctor --repair</code>: {finding.remedy}.
                </p>
              )}
              <p class="hint">{finding.check}</p>
            </li>
          ))}
        </ul>
      </section>
      {notes.length > 0 && (
        <section>
          <h2>Worth knowing</h2>
          <ul class="messages">
            {notes.map((each) => (
              <li key={`${each.check} ${each.about} ${each.says}`}>
                <strong>{each.about}</strong> {each.says}
                {each.advice && <p class="hint">{each.advice}</p>}
              </li>
            ))}
          </ul>
        </section>
      )}
    </>
  );
}
