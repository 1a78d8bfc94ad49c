/** `npm run docs`: the documents that are printed from the source. A test fails when one of them drifts. */
import { writeFileSync } from 'node:fs';
import { apiMarkdown } from './print-api.ts';
import { configurationMarkdown } from './print-configuration.ts';
import { openApiJson } from './print-openapi.ts';
import { statesMarkdown } from './print-states.ts';

/** File below `docs/` → what prints it. */
export const PRINTED: Readonly<Record<string, () => string>> = {
  'api.md': apiMarkdown,
  'openapi.json': openApiJson,
  'configuration.md': configurationMarkdown,
  'states.md': statesMarkdown,
};

if (import.meta.main) {
  for (const [file, print] of Object.entries(PRINTED))
    writeFileSync(new URL(`../docs/${file}`, import.meta.url), print());
}
