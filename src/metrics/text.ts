/**
 * Prometheus' text format, version 0.0.4.
 *
 * A family is one name with its help, its type and its samples, all in one piece. Whoever reads the text loses the whole of it by one
 * line that is wrong, and says nothing of a series that comes twice: so labels are escaped here, and nowhere else.
 *
 * See https://prometheus.io/docs/instrumenting/exposition_formats/.
 */

export interface Sample {
  /** Of a histogram: `_bucket`, `_sum` or `_count`. */
  readonly suffix?: string;
  /** As `labelText` makes it; empty when there are none. */
  readonly labels: string;
  readonly value: number;
}

export interface Family {
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  /** No two with the same suffix and labels. */
  readonly samples: readonly Sample[];
}

export type Labels = Readonly<Record<string, string>>;

export const TEXT_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

/** Each name once. */
export function textOf(families: readonly Family[]): string {
  let text = '';
  for (const { name, help, type, samples } of families) {
    text += `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n`;
    for (const { suffix = '', labels, value } of samples)
      text +=
        labels === ''
          ? `${name}${suffix} ${numberText(value)}\n`
          : `${name}${suffix}{${labels}} ${numberText(value)}\n`;
  }
  return text;
}

/** `flow="extend-volume",outcome="success"` */
export const labelText = (labels: Labels): string =>
  Object.entries(labels)
    .map(([name, value]) => `${name}="${escaped(value)}"`)
    .join(',');

/** Each value with its labels. */
export function gauge(name: string, help: string, values: readonly (readonly [Labels, number])[]): Family {
  return { name, help, type: 'gauge', samples: samplesOf(values) };
}

/** Likewise, of what is counted elsewhere and only rises. The name ends in `_total`. */
export function counted(name: string, help: string, values: readonly (readonly [Labels, number])[]): Family {
  return { name, help, type: 'counter', samples: samplesOf(values) };
}

const samplesOf = (values: readonly (readonly [Labels, number])[]): Sample[] =>
  values.map(([labels, value]) => ({ labels: labelText(labels), value }));

const escaped = (value: string): string =>
  /[\\"\n]/.test(value) ? value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n') : value;

function numberText(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return '+Inf';
  return value === Number.NEGATIVE_INFINITY ? '-Inf' : String(value);
}
