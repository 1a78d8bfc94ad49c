"""Six tasks that do nothing, as a flow of TaskFlow as Cinder runs it: python3 flows-taskflow.py FLOWS

A linear flow is built for each request and run by the serial engine, in memory, nothing kept; a pool of fifty workers, each of
which begins its next flow when its last one has ended. Prints a line of JSON.
"""

import concurrent.futures
import itertools
import json
import logging
import statistics
import sys
import time

import taskflow.engines
from taskflow import task
from taskflow import version
from taskflow.patterns import linear_flow

IN_FLIGHT = 50
NAMES = ("one", "two", "three", "four", "five", "six")


class DoesNothing(task.Task):
    def __init__(self, name):
        super().__init__(name=name, provides=name)

    def execute(self, volume_id, size_gib):
        return volume_id

    def revert(self, volume_id, size_gib, result, **kwargs):
        pass


def run_one(number):
    begun = time.perf_counter()
    flow = linear_flow.Flow("six_tasks").add(*(DoesNothing(name) for name in NAMES))
    engine = taskflow.engines.load(flow, store={"volume_id": str(number), "size_gib": 1})
    engine.run()
    return time.perf_counter() - begun


def run(count, in_flight):
    numbers = itertools.count()

    def client(_):
        latencies = []
        while next(numbers) < count:
            latencies.append(run_one(0))
        return latencies

    with concurrent.futures.ThreadPoolExecutor(in_flight) as pool:
        return [latency for latencies in pool.map(client, range(in_flight)) for latency in latencies]


def main():
    logging.disable(logging.CRITICAL)
    flows = int(sys.argv[1])
    run(flows // 4, IN_FLIGHT)
    begun, cpu = time.perf_counter(), time.process_time()
    run(flows, IN_FLIGHT)
    seconds, cpu = time.perf_counter() - begun, time.process_time() - cpu
    latencies = run(max(20, flows // 20), 1)
    print(
        json.dumps(
            {
                "perSecond": flows / seconds,
                "cpuMs": 1000 * cpu / flows,
                "latencyMs": 1000 * statistics.median(latencies),
                "version": version.version_string(),
            }
        )
    )


main()
