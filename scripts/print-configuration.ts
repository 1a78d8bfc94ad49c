/**
 * Prints `docs/configuration.md` from the schema of `src/lib/config/config.ts`. A test fails when the two differ.
 */
import { configSchema } from '../src/lib/config/config.ts';
import { isTable, type OptionSchema, shapeOf } from '../src/lib/config/option-schema.ts';

const PREFACE = `# Configuration

Printed from \`src/lib/config\` by \`npm run docs\`; edit it there.

Pumice reads one TOML file (\`--config FILE\`), then \`--set SECTION.OPTION=VALUE\`, each stronger than what came before.
No environment variable is looked at, nor those that name a proxy. Without a file every option has its default. A name that is not known, a value of
the wrong form and options that contradict each other are errors; all of them are told at once, before anything starts.

Options are called what cinder.conf calls them where they mean the same. Paths in the file are relative to the file, those
of defaults and of \`--set\` to the working directory; \`$data_directory\` at the beginning of a path stands for that option.
An option marked *secret* may instead be given as \`OPTION_file\`, the path of a file that holds the value.

A complete example is [\`pumice.example.toml\`](../pumice.example.toml).
`;

export function configurationMarkdown(): string {
  const root = configSchema as unknown as OptionSchema;
  const parts = [PREFACE, '## Above all sections\n', table(root)];
  for (const [name, section] of Object.entries(root.properties ?? {})) parts.push(...sections(name, section));
  return `${parts.join('\n')}`;
}

function sections(name: string, schema: OptionSchema): string[] {
  if (schema.patternProperties) {
    return Object.values(schema.patternProperties).flatMap((entry) =>
      entry.properties || entry.patternProperties || entry.choice
        ? sections(`${name}.NAME`, entry)
        : [heading(`[${name}]`, schema), `Options are ${schema.form}. Each takes ${shapeOf(entry)}.\n`],
    );
  }
  if (schema.choice !== undefined) {
    const { choice } = schema;
    return (schema.anyOf ?? []).flatMap((kind) => {
      const value = JSON.stringify(kind.properties?.[choice]?.const);
      return [
        heading(`[${name}] with ${choice} = ${value}`, kind),
        table(kind, isTable(schema.default) ? schema.default : {}),
      ];
    });
  }
  if (!schema.properties) return [];
  const nested = Object.entries(schema.properties).flatMap(([key, option]) => sections(`${name}.${key}`, option));
  return [heading(`[${name}]`, schema), table(schema), ...nested];
}

const heading = (title: string, { description }: OptionSchema): string => `## \`${title}\`\n\n${description}\n`;

function table({ properties = {}, required = [] }: OptionSchema, defaults: Record<string, unknown> = {}): string {
  const rows = Object.entries(properties)
    .filter(([, option]) => !(option.properties || option.patternProperties || option.choice))
    .map(([name, option]) => {
      const meaning = `${option.description}${option.secret ? ' *Secret.*' : ''}`;
      const byDefault = defaultOf({ default: defaults[name], ...option }, required.includes(name));
      return `| \`${name}\` | ${cell(shapeOf(option))} | ${cell(byDefault)} | ${cell(meaning)} |`;
    });
  return `| option | takes | default | meaning |\n|---|---|---|---|\n${rows.join('\n')}\n`;
}

function defaultOf(option: OptionSchema, required: boolean): string {
  if (option.computed !== undefined) return option.computed;
  if (option.default !== undefined) return `\`${JSON.stringify(option.default)}\``;
  return required ? '*must be given*' : 'none';
}

const cell = (text: string): string => text.replaceAll('|', '\\|');
