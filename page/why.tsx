/** Why something is not done: the six sentences, as the API has them, while something works on it or has failed. */
import { useAnswer } from './answer.ts';
import { inZone } from './times.ts';

interface Sentence {
  readonly text: string;
}

interface Why {
  readonly state: 'running' | 'waiting' | 'retrying' | 'stuck' | 'failed' | 'done' | 'rest';
  readonly what: Sentence;
  readonly since: Sentence | null;
  readonly how_far: Sentence | null;
  readonly waits_for: Sentence | null;
  readonly last_failure: Sentence | null;
  readonly next: Sentence & { readonly command: string | null };
}

const SENTENCES = [
  ['What', 'what'],
  ['Since', 'since'],
  ['How far', 'how_far'],
  ['Waits for', 'waits_for'],
  ['Failed last', 'last_failure'],
  ['Next', 'next'],
] as const;

/** How long it has gone on, or waited, is in the words. */
const goesOn = ({ state }: Why): boolean => state === 'running' || state === 'waiting' || state === 'retrying';

export function WhyShown({ id }: { readonly id: string }) {
  const { body } = useAnswer<Why>(`pumice/v1/why/${encodeURIComponent(id)}`, { ages: goesOn });
  if (body === undefined || body.state === 'done' || body.state === 'rest') return null;
  const { command } = body.next;
  return (
    <section class={`why ${body.state}`}>
      <h2>What is it doing?</h2>
      <dl>
        {SENTENCES.map(([word, name]) => {
          const sentence = body[name];
          return (
            sentence && (
              <div key={name}>
                <dt>{word}</dt>
                <dd>{inZone(sentence.text)}</dd>
              </div>
            )
          );
        })}
        {command && (
          <div>
            <dt>To type</dt>
            <dd>
              <code>{command}</code>
            </dd>
          </div>
        )}
      </dl>
    </section>
  );
}
