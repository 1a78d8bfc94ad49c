/**
 * The alert rules and the dashboard, by Prometheus itself: each rule fires when it should and is silent when it should, and no
 * expression asks for a series or a label that a service does not tell. A rule about a series that is not there is silent for ever, and
 * a test of it that expects silence passes.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { freshWorld } from '../api/world.ts';
import { scratchDirectory } from '../scratch.ts';
import { noPromtool, promtool } from './promtool.ts';
import { type ReadFamily, readText } from './read-text.ts';

const RULES = resolve('docs/monitoring/pumice.rules.yml');
const DASHBOARD = 'docs/monitoring/pumice-dashboard.json';

/** Series with their values, one a minute, as promtool writes them: `1x5`, `0+10x30`. */
type Series = Readonly<Record<string, string>>;

interface Case {
  readonly fires: Series;
  readonly calm: Series;
  /** Minutes after which it is looked at, and from one value to the next (default 1). */
  readonly at: number;
  readonly every?: number;
  /** Of the alert, beside its severity. */
  readonly labels?: Readonly<Record<string, string>>;
  readonly summary: string;
}

const ONE = { instance: 'a:9776', job: 'pumice' };
const of = 'instance="a:9776",job="pumice"';
const FLOWS = 'pumice_flow_duration_seconds';
const REQUESTS = 'pumice_http_request_duration_seconds';
const SERVICE = 'binary="cinder-volume",host="n@b",instance="a:9776",job="pumice"';
const POOL = `instance="a:9776",job="pumice",pool="n@b#p"`;

const CASES: Readonly<Record<string, Case>> = {
  PumiceProcessDown: {
    fires: { [`up{${of}}`]: '0x5' },
    calm: { [`up{${of}}`]: '1x5' },
    at: 5,
    labels: ONE,
    summary: 'The Pumice of a:9776 cannot be scraped.',
  },
  PumiceDown: {
    fires: { [`up{${of}}`]: '0x5' },
    calm: { [`up{${of}}`]: '0x5', 'up{instance="b:9776",job="pumice"}': '1x5' },
    at: 5,
    summary: 'No Pumice can be scraped.',
  },
  PumiceRestartsAgainAndAgain: {
    fires: { [`process_start_time_seconds{${of}}`]: '0+100x10' },
    calm: { [`process_start_time_seconds{${of}}`]: '100 100 200 200 200 200 200 200 200 200 200' },
    at: 10,
    labels: ONE,
    summary: 'The Pumice of a:9776 has started 10 times in half an hour.',
  },
  PumiceDatabaseDown: {
    fires: { [`pumice_database_up{${of}}`]: '0x5' },
    calm: { [`pumice_database_up{${of}}`]: '1x5' },
    at: 5,
    labels: ONE,
    summary: 'The Pumice of a:9776 gets no answer from its database.',
  },
  PumiceSiteUntold: {
    fires: { [`pumice_tells_of_tables{${of}}`]: '0x10' },
    calm: { [`pumice_tells_of_tables{${of}}`]: '0x10', 'pumice_tells_of_tables{instance="b:9776"}': '1x10' },
    at: 10,
    summary: 'No process tells of flows, pools and sinks, so their alerts are blind.',
  },
  PumiceDatabaseInTrouble: {
    fires: { [`pumice_database_reruns_total{${of}}`]: '0+30x30' },
    calm: { [`pumice_database_reruns_total{${of}}`]: '0+1x30' },
    at: 30,
    labels: ONE,
    summary: 'Transactions of a:9776 are run again and again.',
  },
  PumiceFlowStuck: {
    fires: { [`pumice_flows{${of},state="stuck"}`]: '2x5' },
    calm: { [`pumice_flows{${of},state="stuck"}`]: '0x5', [`pumice_flows{${of},state="running"}`]: '9x5' },
    at: 5,
    labels: { ...ONE, state: 'stuck' },
    summary: 'Stuck flows, 2 of them, keep what they hold.',
  },
  PumiceFlowsFail: {
    fires: {
      [`${FLOWS}_count{${of},flow="create_volume",outcome="reverted"}`]: '0+1x40',
      [`${FLOWS}_count{${of},flow="create_volume",outcome="success"}`]: '0x40',
    },
    calm: {
      [`${FLOWS}_count{${of},flow="create_volume",outcome="reverted"}`]: '0+1x40',
      [`${FLOWS}_count{${of},flow="create_volume",outcome="success"}`]: '0+5x40',
    },
    at: 40,
    labels: { flow: 'create_volume' },
    summary: 'Most flows create_volume of the last half hour were taken back.',
  },
  PumiceFlowsSlow: {
    fires: slowness(290),
    calm: slowness(300),
    every: 10,
    at: 2970,
    labels: { flow: 'extend_volume' },
    summary: 'Flows extend_volume take four times as long as the day before.',
  },
  PumiceFlowsNotTakenUp: {
    fires: { [`pumice_flow_oldest_age_seconds{${of},state="pending"}`]: '600+60x15' },
    calm: { [`pumice_flow_oldest_age_seconds{${of},state="pending"}`]: '800x15' },
    at: 15,
    labels: { ...ONE, state: 'pending' },
    summary: 'A flow waits since 25m 0s to be run by anybody.',
  },
  PumiceFlowsWait: {
    fires: { [`pumice_flow_oldest_age_seconds{${of},state="waiting"}`]: '3600+60x15' },
    calm: { [`pumice_flow_oldest_age_seconds{${of},state="running"}`]: '3600+60x15' },
    at: 15,
    labels: { ...ONE, state: 'waiting' },
    summary: 'A flow waits since 1h 15m 0s for what others hold.',
  },
  PumiceCopiesWait: {
    fires: { [`pumice_copies_waiting{${of},kind="volume"}`]: '3x70' },
    calm: { [`pumice_copies_waiting{${of},kind="volume"}`]: '3x30 0 3x39' },
    at: 65,
    labels: { ...ONE, kind: 'volume' },
    summary: 'On a:9776 copies (volume) have waited for their turn for an hour.',
  },
  PumiceServiceDown: {
    fires: { [`pumice_service_up{${SERVICE}}`]: '0x5', [`pumice_service_enabled{${SERVICE}}`]: '1x5' },
    calm: { [`pumice_service_up{${SERVICE}}`]: '0x5', [`pumice_service_enabled{${SERVICE}}`]: '0x5' },
    at: 5,
    labels: { ...ONE, binary: 'cinder-volume', host: 'n@b' },
    summary: 'n@b (cinder-volume) gives no sign of life, or cannot be used.',
  },
  PumicePoolNearlyFull: {
    fires: { [`pumice_pool_free_bytes{${POOL}}`]: '5x20', [`pumice_pool_capacity_bytes{${POOL}}`]: '100x20' },
    calm: { [`pumice_pool_free_bytes{${POOL}}`]: '50x20', [`pumice_pool_capacity_bytes{${POOL}}`]: '100x20' },
    at: 20,
    labels: { ...ONE, pool: 'n@b#p' },
    summary: 'Pool n@b#p has 5% of its room left.',
  },
  PumicePoolFullSoon: {
    fires: { [`pumice_pool_free_bytes{${POOL}}`]: '1000-1x500' },
    calm: { [`pumice_pool_free_bytes{${POOL}}`]: '9000-1x500' },
    at: 450,
    labels: { ...ONE, pool: 'n@b#p' },
    summary: 'Pool n@b#p will be full within a day, if it goes on like this.',
  },
  PumiceSinkBehind: {
    fires: { [`pumice_event_sink_lag_seconds{${of},sink="file"}`]: '600+60x10' },
    calm: { [`pumice_event_sink_lag_seconds{${of},sink="file"}`]: '500x10' },
    at: 10,
    labels: { ...ONE, sink: 'file' },
    summary: 'Sink file lacks an event that is 20m 0s old.',
  },
  PumiceEventsHeldBack: {
    fires: { [`pumice_alarms{${of},alarm="events_held_back",severity="warning"}`]: '1x5' },
    calm: {
      [`pumice_alarms{${of},alarm="events_held_back",severity="warning"}`]: '0x5',
      [`pumice_alarms{${of},alarm="flow_stuck",severity="error"}`]: '1x5',
    },
    at: 5,
    labels: { ...ONE, alarm: 'events_held_back' },
    summary: 'An open transaction of PostgreSQL keeps those who watch from events.',
  },
  PumiceUpkeepFails: {
    fires: { [`pumice_upkeep_troubles{${of},upkeep="exports"}`]: '2x20' },
    calm: { [`pumice_upkeep_troubles{${of},upkeep="exports"}`]: '0x20' },
    at: 20,
    labels: { ...ONE, upkeep: 'exports' },
    summary: 'Upkeep exports fails on a:9776, for 2 things.',
  },
  PumiceErrors: {
    fires: {
      [`${REQUESTS}_count{${of},status="2xx"}`]: '0+100x30',
      [`${REQUESTS}_count{${of},status="5xx"}`]: '0+5x30',
    },
    calm: {
      [`${REQUESTS}_count{${of},status="2xx"}`]: '0+1000x30',
      [`${REQUESTS}_count{${of},status="5xx"}`]: '0+5x30',
    },
    at: 30,
    labels: { instance: 'a:9776' },
    summary: 'More than 1 % of the requests to a:9776 are answered 5xx.',
  },
  PumiceReadsSlow: {
    fires: reads('0+10x30', '0+100x30'),
    calm: reads('0+100x30', '0+100x30'),
    at: 30,
    labels: { instance: 'a:9776' },
    summary: 'One read in a hundred of a:9776 takes longer than a second.',
  },
  PumiceEventLoopBusy: {
    fires: {
      [`pumice_event_loop_active_seconds_total{${of}}`]: '0+57x30',
      [`pumice_event_loop_idle_seconds_total{${of}}`]: '0+3x30',
    },
    calm: {
      [`pumice_event_loop_active_seconds_total{${of}}`]: '0+30x30',
      [`pumice_event_loop_idle_seconds_total{${of}}`]: '0+30x30',
    },
    at: 30,
    labels: ONE,
    summary: 'The event loop of a:9776 has been busy for 95% of the time.',
  },
};

/** Fifty hours in steps of ten minutes, of flows that take half a second, or from then on ten. */
function slowness(from: number): Series {
  const labels = `${of},flow="extend_volume",outcome="success"`;
  const all = '0+10x300';
  const quick = `0+10x${from} ${from * 10}+0x${300 - from}`;
  return {
    [`${FLOWS}_bucket{${labels},le="0.5"}`]: quick,
    [`${FLOWS}_bucket{${labels},le="5"}`]: quick,
    [`${FLOWS}_bucket{${labels},le="10"}`]: all,
    [`${FLOWS}_bucket{${labels},le="+Inf"}`]: all,
    [`${FLOWS}_count{${labels}}`]: all,
  };
}

function reads(withinASecond: string, all: string): Series {
  const labels = `${of},method="GET",route="/v3/volumes",status="2xx"`;
  return {
    [`${REQUESTS}_bucket{${labels},le="1"}`]: withinASecond,
    [`${REQUESTS}_bucket{${labels},le="2.5"}`]: all,
    [`${REQUESTS}_bucket{${labels},le="+Inf"}`]: all,
  };
}

interface Rule {
  readonly name: string;
  readonly expr: string;
  readonly severity: string;
  readonly action: string;
}

const rules: readonly Rule[] = [
  ...readFileSync(RULES, 'utf8').matchAll(
    /- alert: (\w+)\n +expr: (.+)\n +for: \w+\n +labels: \{severity: (\w+)\}\n +annotations:\n +summary: .+\n +action: (.+)\n/g,
  ),
].map(([, name = '', expr = '', severity = '', action = '']) => ({ name, expr, severity, action }));

function scratch(context: TestContext): string {
  const directory = mkdtempSync(join(scratchDirectory(), `pumice-test-${process.pid}-`));
  context.after(() => rmSync(directory, { recursive: true }));
  return directory;
}

/** JSON is YAML. */
function judged(
  context: TestContext,
  alert: string,
  series: Series,
  { at, every = 1 }: Case,
  expected: readonly object[],
): string {
  const file = join(scratch(context), 'test.json');
  writeFileSync(
    file,
    JSON.stringify({
      rule_files: [RULES],
      evaluation_interval: `${every}m`,
      tests: [
        {
          interval: `${every}m`,
          input_series: Object.entries(series).map(([name, values]) => ({ series: name, values })),
          alert_rule_test: [{ eval_time: `${at}m`, alertname: alert, exp_alerts: expected }],
        },
      ],
    }),
  );
  const { code, said } = promtool(['test', 'rules', file]);
  return code === 0 ? '' : said;
}

interface Panel {
  readonly title: string;
  readonly targets?: readonly { readonly expr: string }[];
}

const panels: readonly Panel[] = JSON.parse(readFileSync(DASHBOARD, 'utf8')).panels;
const shown = panels.flatMap(({ title, targets = [] }) => targets.map(({ expr }) => ({ title, expr })));
/** As Grafana puts in what is chosen. */
const filled = (expr: string): string => expr.replaceAll('$__rate_interval', '5m').replaceAll('$instance', '.*');

/** Names of series in an expression with the labels that it selects by, but for those that Prometheus adds. */
function selectors(expr: string): readonly (readonly [name: string, labels: readonly string[]])[] {
  return [...expr.matchAll(/\b((?:pumice|process|nodejs)_\w+|up\b)(?:\{([^}]*)\})?/g)].map(
    ([, name = '', inBraces = '']) => [
      name,
      [...inBraces.matchAll(/(\w+) *(?:=~|=)/g)]
        .map(([, label = '']) => label)
        .filter((label) => label !== 'job' && label !== 'instance'),
    ],
  );
}

async function told(context: TestContext): Promise<ReadonlyMap<string, ReadFamily>> {
  const set = ['metrics.enabled=true', 'notifications.drivers=["file"]'];
  const { service } = await freshWorld(context, { running: true, set });
  const { families } = readText((await service.metrics?.text()) ?? '');
  return new Map(
    families.flatMap((family) =>
      family.type === 'histogram'
        ? ['_bucket', '_sum', '_count'].map((suffix) => [family.name + suffix, family] as const)
        : [[family.name, family] as const],
    ),
  );
}

describe('the alert rules', () => {
  test('are each tried here, and none is read wrongly', () => {
    const named = [...readFileSync(RULES, 'utf8').matchAll(/- alert: (\w+)/g)].map(([, name]) => name);
    assert.deepEqual(
      rules.map(({ name }) => name),
      named,
    );
    assert.deepEqual(Object.keys(CASES), named);
    const listed = readFileSync('docs/monitoring.md', 'utf8').matchAll(/^\| `(Pumice\w+)` \|/gm);
    assert.deepEqual(
      [...listed].map(([, name]) => name),
      named,
    );
  });

  for (const { name, severity, action } of rules) {
    const tried = CASES[name];
    if (tried === undefined) continue;
    test(`${name} fires, and says of what`, { skip: noPromtool ?? false }, (context) => {
      const expected = {
        exp_labels: { severity, ...tried.labels },
        exp_annotations: { summary: tried.summary, action },
      };
      assert.equal(judged(context, name, tried.fires, tried, [expected]), '');
    });
    test(`${name} is silent where all is well`, { skip: noPromtool ?? false }, (context) => {
      assert.equal(judged(context, name, tried.calm, tried, []), '');
    });
  }

  test('ask for nothing that a service does not tell', async (context) => {
    const families = await told(context);
    const asked = [...rules, ...shown].flatMap(({ expr }) => selectors(expr));
    const names = new Set(asked.map(([name]) => name).filter((name) => name !== 'up'));
    assert.deepEqual(
      [...names].filter((name) => !families.has(name)),
      [],
    );
    const [page = ''] = readFileSync('docs/monitoring.md', 'utf8').split('## Alerts');
    const documented = new Map(
      [...page.matchAll(/^\| `(\w+)` \| *([\w, ]*?) *\|/gm)].map(([, name = '', labels = '']) => [
        name,
        labels.split(', '),
      ]),
    );
    for (const [name, labels] of asked)
      for (const label of labels)
        assert.ok(documented.get(families.get(name)?.name ?? '')?.includes(label), `${name} has no label ${label}`);
  });
});

describe('the dashboard', () => {
  test('asks what Prometheus understands', { skip: noPromtool ?? false }, (context) => {
    const file = join(scratch(context), 'rules.json');
    const recorded = shown.map(({ expr }, index) => ({ record: `panel_${index}`, expr: filled(expr) }));
    writeFileSync(file, JSON.stringify({ groups: [{ name: 'panels', rules: recorded }] }));
    const { code, said } = promtool(['check', 'rules', file]);
    assert.equal(code, 0, said);
    assert.match(said, new RegExp(`${shown.length} rules found`));
  });

  test('has each panel in a place of its own', () => {
    const { panels: placed } = JSON.parse(readFileSync(DASHBOARD, 'utf8'));
    const taken = new Set<string>();
    for (const { title, gridPos } of placed)
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x += 1)
        for (let y = gridPos.y; y < gridPos.y + gridPos.h; y += 1) {
          assert.ok(x < 24 && !taken.has(`${x} ${y}`), title);
          taken.add(`${x} ${y}`);
        }
    assert.equal(new Set(placed.map(({ id }: { id: number }) => id)).size, placed.length);
  });
});
