/** What proves that the user a Cinder wrote as is shut out, on real servers: a login that fails is none, nor is a server that does not answer. */
import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import { cinderAddress } from '../../src/import/cinder/cinder-address.ts';
import { CinderUnreadable } from '../../src/import/cinder/cinder-unreadable.ts';
import { connectCinder } from '../../src/import/cinder/open-cinder.ts';
import { type WriterState, writerState } from '../../src/import/run/shut-out.ts';
import { cinderWorld } from './cinder-world.ts';

const [WRITER, ROLE, PASSWORD] = ['writer_of_cinder', 'role_of_cinder', 'its-password'];

interface Asked {
  run(sql: string): Promise<unknown>;
  readonly database: string;
  state(user?: string, password?: string): Promise<WriterState>;
}

async function asked(context: TestContext, dialect: 'mysql' | 'postgresql'): Promise<Asked | undefined> {
  const cinder = await cinderWorld(dialect);
  if ('missing' in cinder) return void context.skip(cinder.missing);
  const { run } = cinder;
  const database = new URL(cinder.url).pathname.slice(1);
  const drops =
    dialect === 'mysql'
      ? ['SET GLOBAL sql_mode = DEFAULT', `DROP USER IF EXISTS ${WRITER}@127.0.0.1`, `DROP ROLE IF EXISTS ${ROLE}`]
      : [`REVOKE ALL ON DATABASE "${database}" FROM ${WRITER}`, `DROP OWNED BY ${WRITER}`, `DROP ROLE ${WRITER}`];
  context.after(async () => {
    for (const drop of drops) await run(drop);
    await cinder.remove();
  });
  return {
    run,
    database,
    state: (user = WRITER, password = PASSWORD) => {
      const url = new URL(cinder.url);
      url.username = user;
      url.password = '';
      return writerState(() => connectCinder(cinderAddress(url.href), { password, toWrite: true }));
    },
  };
}

describe('the proof that a writer is shut out', () => {
  test('of MariaDB or MySQL is a right that is gone, or a lock; not a password that is wrong, or a user who is not there', async (context) => {
    const found = await asked(context, 'mysql');
    if (found === undefined) return;
    const { run, database, state } = found;
    await run(`CREATE USER ${WRITER}@127.0.0.1 IDENTIFIED BY '${PASSWORD}'`);
    assert.equal(await state(), 'shut-out', 'without any right to the database');
    await run(`GRANT ALL PRIVILEGES ON \`${database}\`.* TO ${WRITER}@127.0.0.1`);
    assert.equal(await state(), 'may-write');
    assert.equal(await state(WRITER, 'another'), 'unknown');
    assert.equal(await state('nobody_at_all'), 'unknown');
    await run(`REVOKE ALL PRIVILEGES ON \`${database}\`.* FROM ${WRITER}@127.0.0.1`);
    await run(`GRANT SELECT ON \`${database}\`.* TO ${WRITER}@127.0.0.1`);
    assert.equal(await state(), 'shut-out');
    await run(`GRANT DELETE ON \`${database}\`.volumes TO ${WRITER}@127.0.0.1`);
    assert.equal(await state(), 'may-write', 'one table is enough');
    await run(`REVOKE DELETE ON \`${database}\`.volumes FROM ${WRITER}@127.0.0.1`);
    // A server's mode decides how it quotes what it says.
    await run("SET GLOBAL sql_mode = 'ANSI_QUOTES'");
    await run(`GRANT INSERT ON \`${database}\`.volumes TO ${WRITER}@127.0.0.1`);
    assert.equal(await state(), 'may-write', 'to insert alone, whatever the mode of the server');
    await run(`REVOKE INSERT ON \`${database}\`.volumes FROM ${WRITER}@127.0.0.1`);
    await run(`CREATE ROLE ${ROLE}`);
    await run(`GRANT ALL PRIVILEGES ON \`${database}\`.* TO ${ROLE}`);
    await run(`GRANT ${ROLE} TO ${WRITER}@127.0.0.1`);
    const [server] = (await run('SELECT version() AS version')) as [{ readonly version: string }];
    await run(`SET DEFAULT ROLE ${ROLE} ${/MariaDB/.test(server.version) ? 'FOR' : 'TO'} ${WRITER}@127.0.0.1`);
    assert.equal(await state(), 'may-write', 'by a role');
    await run(`ALTER USER ${WRITER}@127.0.0.1 ACCOUNT LOCK`);
    assert.equal(await state(), 'shut-out', 'locked');
    assert.equal(await state(WRITER, 'another'), 'unknown', 'locked, and the password is wrong');
  });

  test('of PostgreSQL is a right that is gone, or NOLOGIN; not a role that is not there', async (context) => {
    const found = await asked(context, 'postgresql');
    if (found === undefined) return;
    const { run, database, state } = found;
    await run(`CREATE ROLE ${WRITER} LOGIN PASSWORD '${PASSWORD}'`);
    assert.equal(await state(), 'shut-out', 'without any right to a table');
    await run(`GRANT SELECT, INSERT ON ALL TABLES IN SCHEMA public TO ${WRITER}`);
    assert.equal(await state(), 'may-write');
    await run(`REVOKE INSERT ON ALL TABLES IN SCHEMA public FROM ${WRITER}`);
    assert.equal(await state(), 'shut-out');
    assert.equal(await state('nobody_at_all'), 'unknown');
    await run(`REVOKE CONNECT ON DATABASE "${database}" FROM PUBLIC`);
    assert.equal(await state(), 'shut-out', 'it may not connect');
    await run(`GRANT CONNECT ON DATABASE "${database}" TO PUBLIC`);
    await run(`GRANT INSERT ON ALL TABLES IN SCHEMA public TO ${WRITER}`);
    await run(`ALTER ROLE ${WRITER} NOLOGIN`);
    assert.equal(await state(), 'shut-out');
  });

  test('is none where the server does not answer, or says a password is wrong', async () => {
    const failing = (code: string) => () =>
      Promise.reject(new CinderUnreadable('…', { cause: Object.assign(new Error(code), { code }) }));
    for (const code of ['28P01', '28000', 'ER_ACCESS_DENIED_ERROR'])
      assert.equal(await writerState(failing(code)), 'unknown');
    for (const code of ['ECONNREFUSED', 'ER_BAD_DB_ERROR', 'ER_OPTION_PREVENTS_STATEMENT'])
      await assert.rejects(writerState(failing(code)), CinderUnreadable);
  });
});
