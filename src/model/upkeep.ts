/**
 * The list of upkeep loops: the name of each, its work, its interval, and the command for an operator when it is in trouble
 * (`lib/troubles.ts`). A loop that is not in here does not compile; a test lets each of them fail for an hour;
 * `docs/operations.md` has the same rows.
 */
export const UPKEEP = {
  heartbeat: {
    does: 'says that the services of this process live',
    often: 'every `report_interval`',
    advice: 'look at the database: its disk, its rights, its connections',
  },
  peers: {
    does: 'says to the other processes that this one lives, and ends the sessions of those that have fallen silent',
    often: 'every second, on PostgreSQL',
    advice: 'look at the database: its connections, and the network to it',
  },
  fences: {
    does: 'puts an end to what processes that are gone have begun on a backend that many serve',
    often: 'every 5 s; after a failure pausing up to a minute',
    advice: 'put right what the reason says: the cluster, and the rights of its user',
  },
  backend: {
    does: 'brings a backend up, and asks it how much room it has',
    often:
      'every `report_interval` while it is down, pausing up to a minute; then every `backend_stats_polling_interval`',
    advice: 'put right what the reason says (mount the directory, install the program); no restart is needed',
  },
  exports: {
    does: 'makes exports of attachments again that are missing, removes those of none',
    often: 'every 2 s; one that failed after 1 min, then every 30 min; one whose connector is refused after a day',
    advice:
      'put right what the reason says, or `openstack volume attachment delete` it; `pumice flows list --all` has the flow',
  },
  temporaries: {
    does: 'removes temporary files of no flow from a backend',
    often: 'when a backend is served',
    advice: 'put right what the reason says, then restart the service, or stop it and run `pumice doctor --repair`',
  },
  downloads: {
    does: 'removes images that were fetched for flows which ended elsewhere',
    often: 'every hour',
    advice: 'look at `image_conversion_dir`: is it there, and whose is it?',
  },
  image_cache: {
    does: 'removes images that were evicted from the cache of a backend',
    often: 'every 5 s; after a failure pausing up to 10 min',
    advice: 'put right what the reason says: the directory of the backend, and its rights',
  },
  images: {
    does: 'removes what uploads that failed have left in the image service',
    often: 'every 5 s; after a failure pausing up to 10 min',
    advice: 'look at the image service: is it there, and may our user remove an image of any project?',
  },
  backups: {
    does: 'removes from backup stores what is left of backups that are gone',
    often: 'every 5 s; after a failure pausing up to 10 min',
    advice: 'look at the store that the reason names: is it mounted, and may we write there?',
  },
  backup_bases: {
    does: 'drops from a backend what it kept of volumes for their next backups, and is of no use or takes the last room',
    often: 'every 15 s; after a failure pausing up to 10 min',
    advice: 'put right what the reason says: the directory of the backend, and its rights',
  },
  schedules: {
    does: 'begins the backups of schedules that are due',
    often: 'every 5 s; after a failure pausing up to 10 min',
    advice:
      '`pumice backups schedule list` says which are due; look at the database: its disk, its rights, its connections',
  },
  mending: {
    does: 'begins to mend damaged backups of what others hold of the same',
    often: 'every minute',
    advice: 'look at the database: its disk, its rights, its connections',
  },
  verification: {
    does: 'begins the nightly verification of backups',
    often: 'every minute of the night, until it has begun',
    advice: 'look at the database: its disk, its rights, its connections',
  },
  messages: {
    does: 'forgets user messages that have expired',
    often: 'every hour',
    advice: 'look at the database: its disk, its rights, its connections',
  },
  tokens: {
    does: 'forgets tokens that have expired',
    often: 'every minute',
    advice: 'look at the database: its disk, its rights, its connections',
  },
  alarms: {
    does: 'begins and ends alarms, in the process that delivers events',
    often: 'every 15 s',
    advice: 'look at the database: its disk, its rights, its connections',
  },
  examination: {
    does: 'lets the doctor look, in the process that delivers events, so that alarms tell what it finds',
    often:
      'ten minutes after a start, then each day; every 15 min while there is something; after a failure pausing up to 4 h',
    advice: '`pumice doctor` says what it cannot look at',
  },
  events: {
    does: 'takes events to a sink',
    often:
      'at once; a sink that fails is asked again after 0.5 s, then up to a minute; an event that a webhook refuses after 5 s, then up to a day',
    advice:
      'make the sink take them: its file and rights, the broker, the receiver of a webhook; no event is lost meanwhile',
  },
  traces: {
    does: 'sends spans to the collector of traces',
    often: 'every second that there are some; nothing is kept for one that does not take them',
    advice:
      'look at the collector that `OTEL_EXPORTER_OTLP_ENDPOINT` names; spans are lost meanwhile, and nothing else',
  },
  outbox: {
    does: 'forgets events that every sink has had',
    often: 'every hour',
    advice: 'look at the database: its disk, its rights, its connections',
  },
  journal: {
    does: 'takes up flows that nobody runs, writes what they have done, forgets old ones',
    often: 'every second; at once, after a failure pausing up to 10 s; every minute',
    advice: 'look at the database: its disk, its rights, its connections',
  },
  identity: {
    does: 'gets a token of our own from Keystone',
    often: 'when a request needs one; after a refusal pausing up to a minute',
    advice: 'look at `[keystone]`: the address, the user and its password',
  },
} as const satisfies Readonly<
  Record<string, { readonly does: string; readonly often: string; readonly advice: string }>
>;

export type UpkeepName = keyof typeof UPKEEP;
