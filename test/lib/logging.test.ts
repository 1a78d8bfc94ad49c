import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { createLog, type Log, setLogLevel, silentLog } from '../../src/lib/logging.ts';

interface Line {
  readonly level: string;
  readonly msg: string;
  readonly time: string;
  readonly err?: Record<string, unknown>;
  readonly [field: string]: unknown;
}

/** What `write` logged, as text and parsed. */
function lines(write: (log: Log) => void, level = 'debug'): { text: string; parsed: Line[] } {
  let text = '';
  const to = {
    write: (line: string) => {
      text += line;
    },
  };
  write(createLog({ level, fields: { node: 'n1' }, to }));
  return {
    text,
    parsed: text
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line) as Line),
  };
}

describe('log', () => {
  test('a line is one JSON object with level, time, message and fields', () => {
    const [line] = lines((log) => log.info({ volume_id: 'v1' }, 'volume created')).parsed;
    assert.partialDeepStrictEqual(line, { level: 'info', node: 'n1', volume_id: 'v1', msg: 'volume created' });
    assert.match(line?.time ?? '', /^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
  });

  test('a level that is changed later is that of children, and of their children, too', () => {
    const { parsed } = lines((log) => {
      const child = log.child({ host: 'n1@file' }).child({ flow_id: 'f1' });
      child.debug('before');
      setLogLevel(log, 'debug');
      child.debug('between');
      setLogLevel(log, 'error');
      child.info('after');
      log.info('after');
    }, 'info');
    assert.deepEqual(
      parsed.map(({ msg, flow_id }) => [msg, flow_id]),
      [['between', 'f1']],
    );
  });

  test('a child carries its fields to every line', () => {
    const { parsed } = lines((log) => {
      const child = log.child({ request_id: 'req-1' }).child({ flow_id: 'f1' });
      child.info('one');
      child.warn('two');
    });
    for (const line of parsed) assert.partialDeepStrictEqual(line, { request_id: 'req-1', flow_id: 'f1' });
    assert.equal(parsed.length, 2);
  });

  test('lines below the level are not written', () => {
    const { parsed } = lines((log) => {
      log.debug('no');
      log.info('no');
      log.warn('yes');
    }, 'warn');
    assert.deepEqual(
      parsed.map(({ msg }) => msg),
      ['yes'],
    );
  });

  test('an error is printed with its fields and all its causes', () => {
    const reason = Object.assign(new Error('no space left'), { code: 'ENOSPC' });
    const failure = new TypeError('writing the image', { cause: new Error('copying', { cause: reason }) });
    for (const write of [
      (log: Log) => log.error({ err: failure }, 'failed'),
      (log: Log) => log.error(failure, 'failed'),
    ]) {
      const [line] = lines(write).parsed;
      assert.partialDeepStrictEqual(line?.err, {
        type: 'TypeError',
        message: 'writing the image',
        cause: { message: 'copying', cause: { message: 'no space left', code: 'ENOSPC' } },
      });
      assert.match(String(line?.err?.stack), /logging\.test\.ts/);
    }
  });

  test('an error that is its own cause still makes a line', () => {
    const error = new Error('round');
    error.cause = error;
    assert.equal(lines((log) => log.error({ err: error }, 'failed')).parsed.length, 1);
  });

  test('all errors of an AggregateError are printed', () => {
    const [line] = lines((log) => log.error(new AggregateError([new Error('a'), new Error('b')], 'both'))).parsed;
    assert.partialDeepStrictEqual(line?.err, { message: 'both', errors: [{ message: 'a' }, { message: 'b' }] });
  });

  for (const key of [
    'x-auth-token',
    'X-Auth-Token',
    'X-Service-Token',
    'authorization',
    'Authorization',
    'password',
    'admin_password',
    'auth_password',
    'auth_key',
    'authKey',
    'secret',
    'secret_uuid',
    'token',
    'connection_info',
    'connectionInfo',
    'chap_secret',
    'chapSecret',
    'set-cookie',
    'keyring',
  ]) {
    test(`the value of ${key} is hidden wherever it is`, () => {
      const { text } = lines((log) => {
        log.info({ [key]: 'hunter2' }, 'flat');
        log.info({ deep: { in: [{ a: { [key]: { of: 'hunter2' } } }] } }, 'deep');
        log.child({ [key]: 'hunter2' }).info('child');
        log.error({ err: Object.assign(new Error('x'), { [key]: 'hunter2' }) }, 'on an error');
        log.error(
          { err: new Error('x', { cause: Object.assign(new Error('y'), { [key]: 'hunter2' }) }) },
          'on a cause',
        );
      });
      assert.doesNotMatch(text, /hunter2/);
      assert.equal(text.match(/\[hidden\]/g)?.length, 5);
    });
  }

  test('the password of a URL is hidden, in errors too', () => {
    const { text } = lines((log) => {
      log.info({ url: 'amqp://me:hunter2@broker:5672/x', to: 'http://h', by: 'a:b@c' }, 'connecting');
      log.error(new Error('cannot reach postgresql://me:hunter2@db/x'));
    });
    assert.match(text, /amqp:\/\/me:\[hidden\]@broker:5672\/x","to":"http:\/\/h","by":"a:b@c"/);
    assert.doesNotMatch(text, /hunter2/);
  });

  test('facts that are no secrets stay as they are', () => {
    const facts = { host: 'n1@file#pool', size: 3, none: null, list: [1, 'a'], auth_method: 'CHAP' };
    assert.partialDeepStrictEqual(lines((log) => log.info(facts, 'x')).parsed[0], facts);
  });

  test('the silent log says nothing', () => {
    assert.equal(silentLog.isLevelEnabled('fatal'), false);
  });
});
