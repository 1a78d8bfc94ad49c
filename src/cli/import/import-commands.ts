/** The orders about moving in from a Cinder: each a file of its own, loaded when it is called, with all that it reads. */
import type { Command } from 'commander';
import type { CliContext } from '../context.ts';
import { addCheck } from './check-command.ts';
import { addMoves } from './move-commands.ts';

export function addImport(program: Command, around: CliContext, exit: (code: number) => void): void {
  const group = program.command('import').description('move in from a living Cinder: its rows, and not a byte of data');
  addCheck(group, around, exit);
  addMoves(group, around, exit);
}
