import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, describe, test } from 'node:test';
import { ConfigInvalid, type ConfigSource, parseConfig, readConfig } from '../../../src/lib/config/read-config.ts';

const BACKEND = '[backends.fast]\ndriver = "file"\npath = "/srv/fast"\n';

/** What is said about a configuration that cannot be used. */
function problems(source: ConfigSource): readonly string[] {
  try {
    parseConfig(source);
  } catch (error) {
    assert.ok(error instanceof ConfigInvalid, String(error));
    return error.problems;
  }
  assert.fail('the configuration was accepted');
}

describe('configuration', () => {
  test('an empty file gives a server on loopback, with one backend of files below the data directory', () => {
    const config = parseConfig({});
    assert.equal(config.api.host, '127.0.0.1');
    assert.equal(config.api.port, 8776);
    assert.equal(config.database.url, `sqlite:${resolve('pumice-data/pumice.sqlite')}`);
    assert.equal(config.scheduler.scheduler_max_attempts, 3);
    assert.equal(config.quota.quota_gigabytes, 1000);
    assert.equal(config.images.store, 'directory');
    assert.deepEqual(config.enabled_backends, ['file']);
    assert.partialDeepStrictEqual(config.backends.file, {
      driver: 'file',
      path: resolve('pumice-data/volumes'),
      create: true,
      volume_backend_name: 'file',
      backend_availability_zone: 'nova',
      max_over_subscription_ratio: 20,
    });
    assert.match(config.node_name, /^[A-Za-z0-9.-]+$/);
  });

  test('it is frozen to the last list', () => {
    const config = parseConfig({});
    assert.throws(() => Object.assign(config.api, { port: 1 }), TypeError);
    assert.throws(() => (config.scheduler.scheduler_default_filters as string[]).push('x'), TypeError);
    assert.throws(() => Object.assign(parseConfig({}).backends.file ?? {}, { path: '/' }), TypeError);
  });

  test('no configuration sees the changes of another', () => {
    const filters = parseConfig({}).scheduler.scheduler_default_filters;
    assert.notEqual(filters, parseConfig({}).scheduler.scheduler_default_filters);
  });

  test('options that are computed follow the options they are computed from', () => {
    const config = parseConfig({ toml: `storage_availability_zone = "east"\n${BACKEND}` });
    assert.equal(config.default_availability_zone, 'east');
    assert.partialDeepStrictEqual(config.backends.fast, {
      volume_backend_name: 'fast',
      backend_availability_zone: 'east',
    });
  });

  test('paths in the file are relative to the file, defaults and --set to the working directory', () => {
    const file = parseConfig({ toml: '[backends.a]\ndriver="file"\npath="here"', directory: '/etc/pumice' });
    assert.partialDeepStrictEqual(file.backends.a, { path: '/etc/pumice/here' });
    assert.equal(file.data_directory, resolve('pumice-data'));
    const { backup_keys: keys } = parseConfig({ toml: '[backup_keys]\n2026-a = "keys/a"', directory: '/etc/pumice' });
    assert.deepEqual({ ...keys }, { '2026-a': '/etc/pumice/keys/a' });
    const set = parseConfig({ set: ['backends.a.driver=file', 'backends.a.path=here'], directory: '/etc/pumice' });
    assert.partialDeepStrictEqual(set.backends.a, { path: resolve('here') });
  });

  test('$data_directory stands for the data directory, in a database URL too', () => {
    const config = parseConfig({
      toml: 'data_directory = "/var/lib/p"\n[database]\nurl = "sqlite:$data_directory/x"\n[images]\ndirectory = "$data_directory"',
    });
    assert.equal(config.database.url, 'sqlite:/var/lib/p/x');
    assert.equal(config.images.store === 'directory' && config.images.directory, '/var/lib/p');
    assert.equal(config.images.image_conversion_dir, '/var/lib/p/conversion');
  });

  test('everything wrong is told at once', () => {
    const found = problems({
      toml: 'node_name = "a@b"\n[api]\nport = 70000\nosapi_max_limit = "many"\n[backends.b]\ndriver = "file"',
    });
    assert.deepEqual(found, [
      'node_name must be letters, digits, dots and hyphens; it is "a@b".',
      'api.port must be a whole number from 0 to 65535; it is 70000.',
      'api.osapi_max_limit must be a whole number of at least 1; it is "many".',
      'backends.b.path is missing; it must be a path.',
    ]);
  });

  for (const [what, toml, problem] of [
    ['a slip of the pen', '[api]\nprot = 1', 'api.prot is not known; did you mean port?'],
    [
      'a webhook with a password in its address',
      '[webhooks.a]\nurl = "https://u:p@h/x"\nsecret = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz"',
      'webhooks.a.url must be a URL without a name or password (http://… or https://…); it is "https://u:p@h/x".',
    ],
    [
      'a secret of a webhook that is none, without telling it',
      '[webhooks.a]\nurl = "https://h/x"\nsecret = "too short"',
      'webhooks.a.secret must be 24 to 64 bytes in base64, with whsec_ before them; or two such, separated by a blank; what is there is not.',
    ],
    ['a misspelt section', '[scheduller]', 'scheduller is not known; did you mean scheduler?'],
    [
      'a host of a backend that would be taken apart',
      `${BACKEND}backend_host = "ceph@east"`,
      'backends.fast.backend_host must be text without @ and #; it is "ceph@east".',
    ],
    [
      'a misspelt option of a backend',
      `${BACKEND}crate = true`,
      'backends.fast.crate is not known; did you mean create?',
    ],
    [
      'an option in the wrong section',
      '[api]\nreport_interval = 5',
      'api.report_interval is not known; it belongs in [services].',
    ],
    ['an option above its section', 'pool_name = 5', 'pool_name is not known; did you mean node_name?'],
    ['a name like nothing known', 'zzzzzzzz = 5', 'zzzzzzzz is not known.'],
    ['a number where text is wanted', '[api]\nhost = 4', 'api.host must be text; it is 4.'],
    [
      'a fraction where a whole number is wanted',
      '[api]\nport = 1.5',
      'api.port must be a whole number from 0 to 65535; it is 1.5.',
    ],
    [
      'a word that is not one of the choices',
      '[log]\nlevel = "loud"',
      'log.level must be "silent", "error", "warn", "info" or "debug"; it is "loud".',
    ],
    [
      'a ratio below one',
      `${BACKEND}max_over_subscription_ratio = 0.5`,
      'backends.fast.max_over_subscription_ratio must be a number of at least 1 or "auto"; it is 0.5.',
    ],
    [
      'a list of the wrong things',
      'enabled_backends = [1]',
      'enabled_backends must be a list of names of [backends.*] sections; it is [1].',
    ],
    ['a section where an option is wanted', '[data_directory]', 'data_directory must be a path; it is {}.'],
    ['an option where a section is wanted', 'api = 4', 'api is a section, not an option.'],
    [
      'a date',
      '[api]\nport = 2026-01-01',
      'api.port must be a whole number from 0 to 65535; it is "2026-01-01T00:00:00.000Z".',
    ],
    [
      'an unknown driver',
      '[backends.b]\ndriver = "tape"',
      'backends.b.driver must be "file", "lvm" or "rbd"; it is "tape".',
    ],
    [
      'a backend without a driver',
      '[backends.b]\npath = "/x"',
      'backends.b.driver is missing; it must be "file", "lvm" or "rbd".',
    ],
    [
      'a name of a backend that a host name cannot hold',
      '[backends."a@b"]\ndriver = "file"\npath = "/x"',
      'backends: the name "a@b" must be letters, digits, hyphens and underscores.',
    ],
    [
      'a name template that says no id',
      'volume_name_template = "v"',
      'volume_name_template must be letters, digits, dots, hyphens and underscores, with one %s and no dot in front; it is "v".',
    ],
    ['an empty list of backends', '[backends]', 'backends: there is none; a section [backends.NAME] is wanted.'],
    [
      'an enabled backend that does not exist',
      `enabled_backends = ["fats"]\n${BACKEND}`,
      'enabled_backends: there is no section [backends.fats]; did you mean fast?',
    ],
    [
      'a store without its address',
      '[images]\nstore = "glance"',
      'images.glance_url is missing; it must be a URL (http://… or https://…).',
    ],
    [
      'an option of the other store',
      '[images]\nstore = "glance"\nglance_url = "http://g"\ndirectory = "/x"',
      'images.directory is not known.',
    ],
    [
      'a broker that is not named',
      '[notifications]\ndrivers = ["amqp"]',
      'notifications.amqp_url is missing; the driver "amqp" needs it.',
    ],
    [
      'two backends in one volume group',
      ['one', 'two'].map((name) => `[backends.${name}]\ndriver = "lvm"\n`).join(''),
      'backends.two.volume_group: cinder-volumes is that of backends.one.',
    ],
    [
      'an lvm.conf of another name, since LVM is told a directory',
      '[backends.one]\ndriver = "lvm"\nlvm_conf_file = "/etc/cinder/lvm.cfg"',
      'backends.one.lvm_conf_file must be a path that ends in lvm.conf; it is "/etc/cinder/lvm.cfg".',
    ],
    [
      'thick volumes of LVM',
      '[backends.one]\ndriver = "lvm"\nlvm_type = "default"',
      'backends.one.lvm_type must be "auto" or "thin"; it is "default".',
    ],
    [
      'two daemons in one place',
      ['one', 'two']
        .map((name) => `[backends.${name}]\ndriver = "file"\npath = "/srv/${name}"\ntarget_protocol = "iscsi"\n`)
        .join(''),
      'backends.two.target_port: 127.0.0.1:3260 is that of backends.one, and each has a tgtd of its own.',
    ],
    [
      'a store of backups that is not there',
      'default_backup_store = "mian"\n[backup_stores.main]\nbackup_driver = "posix"\nbackup_posix_path = "/b"',
      'default_backup_store: there is no section [backup_stores.mian]; did you mean main?',
    ],
    [
      'which of two stores backups go to',
      ['one', 'two']
        .map((name) => `[backup_stores.${name}]\nbackup_driver = "posix"\nbackup_posix_path = "/b"`)
        .join('\n'),
      'default_backup_store is missing; it must be one of one, two.',
    ],
    [
      'a key of backups that is not there',
      '[backup_keys]\n2026-a = "/k"\n[backup_stores.main]\nbackup_driver = "posix"\nbackup_posix_path = "/b"\nbackup_key = "2026-b"',
      'backup_stores.main.backup_key: there is no key 2026-b in [backup_keys]; did you mean 2026-a?',
    ],
    [
      'services that are always down',
      '[services]\nservice_down_time = 10',
      'services.service_down_time must be more than services.report_interval, or every service is down.',
    ],
    [
      'a pattern that is none',
      '[api]\nproject_id_regex = "("',
      'api.project_id_regex must be a regular expression; it is "(".',
    ],
  ] as const) {
    test(`${what} is told`, () => assert.deepEqual(problems({ toml }), [problem]));
  }

  test('noauth beyond loopback wants to be said in so many words', () => {
    for (const host of ['0.0.0.0', '::', '192.0.2.1', 'example.org', '127.0.0.1.example.org']) {
      const [problem, ...more] = problems({ toml: `[api]\nhost = "${host}"` });
      assert.match(problem ?? '', /^api\.host: other machines can reach .*listen_beyond_loopback = true/);
      assert.deepEqual(more, []);
      assert.equal(parseConfig({ toml: `[api]\nhost = "${host}"\nlisten_beyond_loopback = true` }).api.host, host);
    }
    for (const host of ['127.0.0.1', '127.8.8.8', '::1', 'localhost']) {
      assert.equal(parseConfig({ toml: `[api]\nhost = "${host}"` }).api.host, host);
    }
  });

  test('metrics that other machines can reach want a token', () => {
    const beyond = '[metrics]\nenabled = true\nhost = "192.0.2.1"\n';
    assert.match(
      problems({ toml: beyond }).join('\n'),
      /^metrics\.bearer_token is missing: other machines .* 192\.0\.2\.1/,
    );
    assert.equal(parseConfig({ toml: `${beyond}bearer_token = "a.secret"` }).metrics.bearer_token, 'a.secret');
    assert.equal(parseConfig({ toml: '[metrics]\nenabled = true' }).metrics.host, '127.0.0.1');
    assert.equal(parseConfig({ toml: beyond.replace('true', 'false') }).metrics.enabled, false);
  });

  test('TOML that cannot be parsed is told with its line', () => {
    const [problem] = problems({ toml: 'node_name = "a"\nhost = = 4\n', from: 'pumice.toml' });
    assert.match(problem ?? '', /2:\s+host = = 4/);
  });

  test('--set is stronger than the file, and a later one than an earlier one', () => {
    const config = parseConfig({ toml: '[api]\nport = 1', set: ['api.port=2', 'api.port=3', 'log.level=debug'] });
    assert.equal(config.api.port, 3);
    assert.equal(config.log.level, 'debug');
  });

  test('--set takes text as text, numbers and booleans as such, and lists with or without brackets', () => {
    const config = parseConfig({
      toml: BACKEND,
      set: [
        'node_name=123',
        'enabled_backends=fast, slow',
        'scheduler.scheduler_default_filters=["A=B"]',
        'allow_availability_zone_fallback=true',
        'backends.slow.driver=file',
        'backends.slow.path=/srv/s=l',
        'backends.slow.max_over_subscription_ratio=auto',
        'backends.fast.max_over_subscription_ratio=1.5',
      ],
    });
    assert.equal(config.node_name, '123');
    assert.deepEqual(config.enabled_backends, ['fast', 'slow']);
    assert.deepEqual(config.scheduler.scheduler_default_filters, ['A=B']);
    assert.equal(config.allow_availability_zone_fallback, true);
    assert.partialDeepStrictEqual(config.backends.slow, { path: '/srv/s=l' });
    assert.equal(config.backends.slow?.max_over_subscription_ratio, 'auto');
    assert.equal(config.backends.fast?.max_over_subscription_ratio, 1.5);
  });

  test('what is wrong with --set is told as for the file', () => {
    assert.deepEqual(problems({ set: ['api.port', 'api.port=high', 'api.prot=1', 'api=1'] }), [
      '--set api.port: wanted is SECTION.KEY=VALUE.',
      'api is a section, not an option.',
    ]);
    assert.deepEqual(problems({ set: ['api.port=high', 'api.prot=1'] }), [
      'api.prot is not known; did you mean port?',
      'api.port must be a whole number from 0 to 65535; it is "high".',
    ]);
  });
});

describe('configuration in files', () => {
  const directory = mkdtempSync(join(tmpdir(), 'pumice-config-'));
  after(() => rmSync(directory, { recursive: true }));
  const write = (name: string, text: string): string => {
    writeFileSync(join(directory, name), text);
    return join(directory, name);
  };

  test('a secret may lie in a file of its own, whose last newline does not count', () => {
    write('url', 'postgresql://pumice:s3cret@db/pumice\n');
    const config = readConfig(write('a.toml', '[database]\nurl_file = "url"'));
    assert.equal(config.database.url, 'postgresql://pumice:s3cret@db/pumice');
    const set = readConfig(undefined, [`database.url_file=${join(directory, 'url')}`]);
    assert.equal(set.database.url, config.database.url);
  });

  test('--set replaces a secret in the file, however either is given', () => {
    write('url', 'postgresql://one');
    const file = write('b.toml', '[database]\nurl_file = "url"');
    assert.equal(readConfig(file, ['database.url=postgresql://two']).database.url, 'postgresql://two');
  });

  test('the value of a secret is in no message', () => {
    write('url', 'mysql://root:s3cret@db');
    for (const toml of ['[database]\nurl = "mysql://root:s3cret@db"', '[database]\nurl_file = "url"']) {
      assert.throws(
        () => readConfig(write('c.toml', toml)),
        (error) =>
          error instanceof ConfigInvalid && /database\.url/.test(error.message) && !/s3cret/.test(error.message),
      );
    }
  });

  test('a secret given twice, or in a file that is not there, is told', () => {
    const twice = '[notifications]\namqp_url = "amqp://x"\namqp_url_file = "x"';
    assert.deepEqual(problems({ toml: twice }), [
      'notifications.amqp_url and notifications.amqp_url_file are both given; one is enough.',
    ]);
    assert.deepEqual(problems({ toml: '[database]\nurl_file = "/nowhere/at/all"' }), [
      'database.url_file: /nowhere/at/all cannot be read (ENOENT).',
    ]);
  });

  test('only secrets may lie in a file of their own', () => {
    assert.deepEqual(problems({ toml: '[api]\nhost_file = "x"' }), ['api.host_file is not known.']);
  });

  test('a file that cannot be read is told by its name', () => {
    assert.throws(() => readConfig(join(directory, 'none.toml')), /none\.toml cannot be used/);
  });
});
