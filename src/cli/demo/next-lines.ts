/** The commands that `pumice start` suggests at its end. */
import { shortId } from '../../why/short-id.ts';
import type { Terminal } from '../terminal.ts';
import { PROJECT, TOKEN } from './client.ts';

export interface Next {
  readonly address: string;
  /** ` --data DIR`, unless it is the usual one. */
  readonly data: string;
  readonly flowId: string | undefined;
}

export function nextLines(terminal: Terminal, { address, data, flowId }: Next): string[] {
  const endpoint = `${address}/v3/${PROJECT}`;
  const dim = (text: string): string => terminal.paint('dim', text);
  const commands: readonly (readonly [what: string, ...lines: string[]])[] = [
    [`open the page in a browser (project ${PROJECT})`, `${address}/`],
    ['ask the API', `curl -s -H 'X-Auth-Token: ${TOKEN}' ${endpoint}/volumes/detail`],
    [
      'or use OpenStack’s own client',
      `export OS_AUTH_TYPE=admin_token OS_TOKEN=${TOKEN} OS_ENDPOINT=${endpoint}`,
      'openstack volume create --size 1 mine',
      'openstack volume list',
    ],
    [
      'see what the flows did, why they did it, and whether all is well',
      `bin/pumice flows list --all${data}`,
      `bin/pumice flows show ${flowId === undefined ? 'ID' : shortId(flowId)}${data}`,
      `bin/pumice why ${flowId === undefined ? 'ID' : shortId(flowId)}${data}`,
      `bin/pumice doctor${data}`,
    ],
  ];
  return [
    '',
    terminal.paint('bold', 'What to type next, in another terminal'),
    ...commands.flatMap(([what, ...lines]) => ['', `  ${dim(`# ${what}`)}`, ...lines.map((line) => `  ${line}`)]),
    '',
    dim('It stays up. Ctrl-C ends it; kill -9 does no harm: unfinished flows go on at the next start.'),
  ];
}
