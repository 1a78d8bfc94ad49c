/** `pumice serve`: the service, until it is asked to end. */
import { createLog } from '../lib/logging.ts';
import { type ConfigFlags, configurationOf } from './configuration.ts';
import type { CliContext } from './context.ts';
import { EXIT } from './exit-codes.ts';

export async function serve(options: ConfigFlags, around: CliContext): Promise<number> {
  const config = configurationOf(options);
  const log = createLog({ level: config.log.level, fields: { node: config.node_name } });
  const running = await around.serve(config, log);
  log.info({ address: running.address, backends: config.enabled_backends }, 'serving');
  around.out.line(`Pumice serves on ${running.address}`);
  await running.ended();
  log.info('ended');
  return EXIT.ok;
}
