"""A notification listener of oslo.messaging, with its options as they come but for those named.

    oslo-listener.py URL TOPIC [amqp_durable_queues]

Writes "ready" when its queues are there, then the type of each event it is given; an error of its driver goes to standard error.
"""

import logging
import os
import sys
import threading

import oslo_messaging
from oslo_config import cfg

logging.basicConfig(stream=sys.stderr, level=logging.ERROR)
url, topic, *options = sys.argv[1:]

conf = cfg.ConfigOpts()
conf([], project="pumice-test")
transport = oslo_messaging.get_notification_transport(conf, url=url)
for option in options:
    conf.set_override(option, True, group="oslo_messaging_rabbit")


def say(line):
    """In one piece: two threads speak, and `print` writes a line and its end apart."""
    os.write(1, f"{line}\n".encode())


class Endpoint:
    def info(self, context, publisher_id, event_type, payload, metadata):
        say(event_type)


listener = oslo_messaging.get_notification_listener(
    transport, [oslo_messaging.Target(topic=topic)], [Endpoint()], executor="threading"
)
listener.start()
say("ready")
threading.Event().wait()
