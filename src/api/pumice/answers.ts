/**
 * What our own API answers, as schemas: for those who write programs (`docs/openapi.json`), and for tests, which hold each answer they
 * are given against its own. Nothing is checked while requests are answered.
 *
 * More fields may come, so a program takes no answer for wrong that has one it does not know.
 */
import { FLOW_STATES } from '../../engine/journal.ts';
import { type TSchema, Type } from '../../lib/schema.ts';
import { ALARM_NAMES } from '../../model/alarm.ts';
import { Nullable } from '../body.ts';

const { Array: List, Boolean: Flag, Enum, Integer, Number: Amount, Object: Facts, String: Text, Unknown } = Type;
const text = Text();
const maybeText = Nullable(text);
const time = Text({ pattern: '^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{6}$', description: 'UTC.' });
const maybeTime = Nullable(time);
const count = Integer({ minimum: 0 });
/** 0 to 1. */
const part = Nullable(Amount({ minimum: 0, maximum: 1 }));
const state = Enum(FLOW_STATES);

const copying = Nullable(
  Facts({ bytes: count, of: Nullable(count), rate: Nullable(Amount({ description: 'Bytes a second.' })), at: time }),
);
const waiting = Nullable(Facts({ since: time, what: text, why: maybeText }));

const flowFields = {
  id: text,
  name: text,
  version: count,
  state,
  resource: text,
  project_id: maybeText,
  request_id: text,
  lane: maybeText,
  owner: maybeText,
  epoch: count,
  claims: count,
  wish: Nullable(Enum(['cancel', 'revert', 'resume', 'abandon'])),
  wish_reason: maybeText,
  doing: Nullable(Facts({ node: text, since: time, progress: part, copying, waiting })),
  kept_by: List(Facts({ resource: text, flow_id: text, name: text, state })),
  created_at: time,
  updated_at: time,
  ended_at: maybeTime,
};

export const FlowAnswer = Facts(flowFields);
export const FlowsAnswer = Facts({ flows: List(FlowAnswer), next: maybeText });

const failure = Nullable(
  Facts({
    task: text,
    before: Type.Optional(Flag()),
    name: text,
    message: text,
    trace: text,
    at: time,
    transient: Flag(),
    elsewhere: Flag(),
  }),
);

export const StoryAnswer = Facts({
  ...flowFields,
  steps: List(
    Facts({
      node: text,
      event: Enum([
        'done',
        'failed',
        'chosen',
        'cancelled',
        'reverted',
        'revert_failed',
        'abandoned',
        'rejected',
        'retried',
        'interrupted',
      ]),
      attempt: count,
      started_at: maybeTime,
      at: time,
      ms: Nullable(Amount({ minimum: 0 })),
      tries: Nullable(count),
      failure,
      choice: Unknown(),
      result: Unknown(),
      reason: maybeText,
    }),
  ),
  now: Nullable(
    Facts({
      node: text,
      reverting: Flag(),
      since: time,
      progress: part,
      copying,
      waiting,
      waits_for: Nullable(Enum(['a process', 'an operator', 'other flows'])),
    }),
  ),
  next: List(Facts({ node: text, maybe: Flag() })),
  messages: List(Facts({ id: text, event_id: text, user_message: text, created_at: time })),
});

const flowInShort = Facts({ id: text, name: text, state, resource: text });
const sentence = (facts: Readonly<Record<string, TSchema>>) => Facts({ text, ...facts });

export const WhyAnswer = Facts({
  about: text,
  name: maybeText,
  status: maybeText,
  state: Enum(['running', 'waiting', 'retrying', 'stuck', 'failed', 'done', 'rest']),
  flow: Nullable(flowInShort),
  others: List(text),
  what: sentence({ task: maybeText, reverting: Flag(), task_number: Nullable(count), tasks: Nullable(count) }),
  since: Nullable(sentence({ at: time, flow_begun_at: time })),
  how_far: Nullable(
    sentence({
      progress: part,
      bytes: Nullable(count),
      of_bytes: Nullable(count),
      rate: Nullable(Amount({ description: 'Bytes a second.' })),
      usual_ms: Nullable(Amount()),
      spent_ms: Amount(),
    }),
  ),
  waits_for: Nullable(
    sentence({
      kind: Enum(['flows', 'process', 'operator', 'another try', 'turn', 'store']),
      since: time,
      flows: List(flowInShort),
    }),
  ),
  last_failure: Nullable(sentence({ task: text, error: maybeText, at: time, user_message: maybeText })),
  next: sentence({ by_itself: Flag(), at: maybeTime, command: maybeText }),
});

export const BackendsAnswer = Facts({
  backends: List(
    Facts({
      host: text,
      availability_zone: text,
      state: Enum(['up', 'failed', 'down', 'disabled', 'frozen']),
      reason: maybeText,
      seen_at: time,
      pools: List(
        Facts({
          name: text,
          total_gib: Nullable(Amount()),
          free_gib: Nullable(Amount()),
          allocated_gib: Amount(),
          promised_gib: Amount(),
          over_subscription_ratio: Amount(),
          volumes: count,
        }),
      ),
      copies: Facts({ running: count, waiting: count, rate: Amount({ description: 'Bytes a second.' }) }),
    }),
  ),
  troubles: List(Facts({ upkeep: text, about: text, node: text, reason: text, since: time })),
});

export const DoctorAnswer = Facts({
  running_since: maybeTime,
  last: Nullable(
    Facts({
      begun_at: time,
      ended_at: time,
      failure: maybeText,
      report: Nullable(
        Facts({
          findings: List(
            Facts({
              check: text,
              about: text,
              says: text,
              advice: maybeText,
              remedy: maybeText,
              repaired: Flag(),
            }),
          ),
          notes: List(Facts({ check: text, about: text, says: text, advice: maybeText })),
          swept: List(text),
        }),
      ),
    }),
  ),
});

const byStatus = Type.Record(text, count);

export const CountsAnswer = Facts({ volumes: byStatus, snapshots: byStatus, backups: byStatus });

export const AlarmsAnswer = Facts({
  alarms: List(
    Facts({
      alarm: Enum(ALARM_NAMES),
      about: text,
      severity: Enum(['error', 'warning']),
      since: time,
      message: text,
      means: text,
      advice: text,
    }),
  ),
});

export const SinksAnswer = Facts({
  sinks: List(
    Facts({
      sink: text,
      state: Enum(['well', 'failing', 'untried']),
      succeeded_at: maybeTime,
      failing_since: maybeTime,
      tries: count,
      reason: maybeText,
      next_try_at: maybeTime,
      waiting: List(Facts({ resource: text, since: time, tries: count, reason: text, next_try_at: maybeTime })),
    }),
  ),
});

export const WhoamiAnswer = Facts({
  user_id: text,
  project_id: maybeText,
  roles: List(text),
  is_admin: Flag(),
  auth_strategy: Enum(['noauth', 'local', 'keystone']),
});

export const HealthAnswer = Facts({
  is_ready: Flag(),
  reasons: List(text),
  node: text,
  services: Nullable(List(Facts({ host: text, binary: text, is_up: Flag(), failure: maybeText, updated_at: time }))),
});
