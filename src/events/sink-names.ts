/** What sinks are called: their places in the outbox are kept under these names, and troubles with them are about these. */

/** Of a section `[webhooks.NAME]`. */
export const sinkOfWebhook = (section: string): string => `webhook:${section}`;

/** Of a configuration. */
export const sinkNames = ({
  notifications,
  webhooks,
}: {
  readonly notifications: { readonly drivers: readonly string[] };
  readonly webhooks: { readonly [section: string]: unknown };
}): readonly string[] => [...notifications.drivers, ...Object.keys(webhooks).map(sinkOfWebhook)];
