/**
 * A reader of Prometheus' text format that is stricter than those that scrape it. Prometheus keeps the first of two series alike and
 * says nothing, and `promtool check metrics` is content with buckets that fall; here each of these is a complaint.
 */
export interface ReadSample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface ReadFamily {
  readonly name: string;
  readonly type: string;
  readonly help: string;
  readonly samples: readonly ReadSample[];
}

export interface Reading {
  readonly families: readonly ReadFamily[];
  /** Empty when nothing is wrong. */
  readonly complaints: readonly string[];
}

const LINE = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$/;
const LABEL = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\\\|\\"|\\n)*)"(?:,|$)/y;
const SUFFIXES = ['_bucket', '_sum', '_count'];

export function readText(text: string): Reading {
  const complaints: string[] = [];
  const families = new Map<string, ReadFamily & { readonly samples: ReadSample[] }>();
  let help: { readonly name: string; readonly text: string } | undefined;
  let open: (ReadFamily & { readonly samples: ReadSample[] }) | undefined;
  if (text !== '' && !text.endsWith('\n')) complaints.push('the last line has no end');
  for (const line of text.split('\n').slice(0, -1)) {
    const [, kind, name = '', rest = ''] = /^# (HELP|TYPE) (\S+) (.*)$/.exec(line) ?? [];
    if (kind === 'HELP') help = { name, text: rest };
    else if (kind === 'TYPE') {
      if (help?.name !== name) complaints.push(`${name} has no help right before its type`);
      if (families.has(name)) complaints.push(`${name} is told twice`);
      open = { name, type: rest, help: help?.text ?? '', samples: [] };
      families.set(name, open);
    } else {
      const sample = readSample(line);
      if (typeof sample === 'string') complaints.push(sample);
      else if (open === undefined || !belongs(sample.name, open))
        complaints.push(`${sample.name} stands in the family ${open?.name}`);
      else open.samples.push(sample);
    }
  }
  for (const family of families.values()) complaints.push(...doubles(family), ...brokenHistograms(family));
  return { families: [...families.values()], complaints };
}

function readSample(line: string): ReadSample | string {
  const [, name, inBraces, number = ''] = LINE.exec(line) ?? [];
  if (name === undefined) return `no sample: ${line}`;
  const labels: Record<string, string> = {};
  LABEL.lastIndex = 0;
  while (inBraces !== undefined && LABEL.lastIndex < inBraces.length) {
    const [, label, value = ''] = LABEL.exec(inBraces) ?? [];
    if (label === undefined) return `wrong labels: ${line}`;
    if (Object.hasOwn(labels, label)) return `a label twice: ${line}`;
    labels[label] = value.replaceAll(/\\([\\"n])/g, (_, escaped) => (escaped === 'n' ? '\n' : escaped));
  }
  const value =
    number === '+Inf' ? Number.POSITIVE_INFINITY : number === '-Inf' ? Number.NEGATIVE_INFINITY : Number(number);
  if (Number.isNaN(value) && number !== 'NaN') return `no number: ${line}`;
  return { name, labels, value };
}

const belongs = (name: string, family: ReadFamily): boolean =>
  family.type === 'histogram' ? SUFFIXES.some((suffix) => name === family.name + suffix) : name === family.name;

const keyOf = ({ name, labels }: ReadSample, without?: string): string =>
  `${name} ${JSON.stringify(
    Object.entries(labels)
      .filter(([label]) => label !== without)
      .toSorted(),
  )}`;

function doubles({ samples }: ReadFamily): string[] {
  const seen = new Set<string>();
  return samples.map((sample) => keyOf(sample)).filter((key) => seen.has(key) || !seen.add(key));
}

function brokenHistograms({ name, type, samples }: ReadFamily): string[] {
  if (type !== 'histogram') return [];
  const by = (suffix: string) => samples.filter((sample) => sample.name === name + suffix);
  const series = Map.groupBy(by('_bucket'), (sample) => keyOf({ ...sample, name }, 'le'));
  const counts = new Map(by('_count').map((sample) => [keyOf({ ...sample, name }), sample.value]));
  const sums = new Set(by('_sum').map((sample) => keyOf({ ...sample, name })));
  const complaints = [...counts.keys()].filter((key) => !series.has(key)).map((key) => `${key} has no buckets`);
  for (const [key, buckets] of series) {
    const bounds = buckets.map(({ labels }) => (labels.le === '+Inf' ? Number.POSITIVE_INFINITY : Number(labels.le)));
    if (bounds.some((bound, index) => Number.isNaN(bound) || bound <= (bounds[index - 1] ?? Number.NEGATIVE_INFINITY)))
      complaints.push(`${key}: its bounds do not rise`);
    if (buckets.some(({ value }, index) => value < (buckets[index - 1]?.value ?? 0)))
      complaints.push(`${key}: its buckets fall`);
    if (bounds.at(-1) !== Number.POSITIVE_INFINITY) complaints.push(`${key} has no bucket +Inf`);
    else if (buckets.at(-1)?.value !== counts.get(key)) complaints.push(`${key}: +Inf is not its count`);
    if (!sums.has(key)) complaints.push(`${key} has no sum`);
  }
  return complaints;
}

/** The value of the one sample with these labels; undefined when there is none. */
export function sampleOf(
  { families }: Reading,
  name: string,
  labels: Readonly<Record<string, string>> = {},
): number | undefined {
  const found = families
    .flatMap(({ samples }) => samples)
    .find(
      (sample) =>
        sample.name === name && Object.entries(labels).every(([label, value]) => sample.labels[label] === value),
    );
  return found?.value;
}
