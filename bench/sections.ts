/**
 * The text of bench/RESULTS.md: a section for each part of the figures, as its last whole run found it. Who has measured a part
 * replaces its section, and leaves the others as they are.
 */
import { isMet, markdownTable, type Result, toldLimits } from './report.ts';

export interface Section {
  /** Of the part. */
  readonly name: string;
  readonly machine: readonly string[];
  readonly limit: string;
  readonly results: readonly Result[];
}

const HEAD = `# Results

Written by \`npm run bench\`: each section by the last whole run of its part, which \`npm run bench -- --only NAME\` renews alone.
Times depend on the machine and its neighbours; believe the ratios, which are made inside each round, of what ran one after the
other in the same minute.

For scale: the real Cinder, on two cores such as these, answered 1.7 lists of 1,000 volumes and 52 gets a second, accepted 7
creates a second, took 7 s to start and 560 MiB. It is part of the run of \`rbd\` alone.
`;

/** The text with this section in its place among `parts`. A section of a part that is no more goes. */
export function merged(text: string, section: Section, parts: readonly string[]): string {
  const sections = new Map(
    text
      .split(/^(?=## )/m)
      .slice(1)
      .map((each) => [each.slice(3, each.indexOf('\n')), each.trimEnd()]),
  );
  sections.set(section.name, written(section));
  const missing = parts.filter((name) => !sections.has(name));
  const head = missing.length === 0 ? HEAD : `${HEAD}\nWithout a whole run: ${missing.join(', ')}.\n`;
  return `${[head.trimEnd(), ...parts.flatMap((name) => sections.get(name) ?? [])].join('\n\n')}\n`;
}

function written({ name, machine, limit, results }: Section): string {
  const missed = results.filter((result) => 'measured' in result && isMet(result) === false);
  const list = (lines: readonly string[]): string => lines.map((line) => `- ${line}`).join('\n');
  return [
    `## ${name}`,
    list(machine),
    markdownTable(results),
    `Limit: ${limit}`,
    list(toldLimits(results)),
    missed.length === 0 ? '' : `Missed: ${missed.map(({ figure }) => figure).join('; ')}.`,
  ]
    .filter((each) => each !== '')
    .join('\n\n');
}
