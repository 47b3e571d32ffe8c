#!/usr/bin/python3
"""failover.py - how long an unmodified librdkafka producer waits when a broker goes.

    tests/perf/failover.py [--kills N] [--partitions N] [--story leader|follower|shutdown|controller]...

Three brokers, replication factor 3, acks=all, idempotent librdkafka defaults, one 100-byte record
a millisecond to each partition in turn (rdkafka_bench gap).  Each story ends a broker N times,
brings it back and waits until the ISR is whole again: SIGKILL of the leader, SIGKILL of a
follower, SIGTERM of the leader (controlled shutdown).  A gap is the longest time between two
delivery reports of one partition.  The servers' part of it, from the signal until the last new
leader accepts (or, for a follower, until the last ISR is without it), is read from the brokers' log
lines, to the millisecond.

The story of the controller has three of them and kills the active one, while one client changes a
topic's config as fast as it is answered, and the producer goes on: the gap is the longest time
between two answers, and the producer's gap tells whether the data path noticed.

Three partitions give the client a connection to every broker, as in any real use.  With
--partitions 1 its only connection may be the one to the leader: librdkafka then connects to
another broker at once, but asks it for the new leader at its next look round, up to a second later.
"""
import argparse
import os
import re
import signal
import subprocess
import sys
import threading
import time
from datetime import datetime, timezone

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))
from confluent_kafka.admin import AdminClient, ConfigResource

from lib.cluster import BUILD, Cluster, Failed, wait_for

SECONDS = 3  # of the producer, for each kill
BENCH = os.path.join(BUILD, "tests/perf/rdkafka_bench")


class LogTail:
    """What the brokers' logs get from here on."""

    def __init__(self, c):
        self.files = {}
        for n in c.brokers.values():
            f = self.files[n["log"]] = open(n["log"], errors="replace")
            f.seek(0, os.SEEK_END)

    def last_ms(self, since, what):
        """Milliseconds from `since` to the last line that matches; None: there is none."""
        last = None
        for f in self.files.values():
            for line in f:
                if re.search(what, line):
                    at = datetime.strptime(line.split()[0], "%Y-%m-%dT%H:%M:%S.%fZ")
                    last = max(last or 0, (at.replace(tzinfo=timezone.utc).timestamp() - since) * 1000)
            f.close()
        return last


def leader_of(c, topic):
    return c.partition(topic)["leader"]


def follower_of(c, topic):
    p = c.partition(topic)
    return next(b for b in p["isr"] if b != p["leader"])


# What a story is called, whom it ends, how, and which line of a broker's log tells that it is over.
LEADS, ISR = r" partition leader partition={topic}-", r" partition isr partition={topic}-"
STORIES = {
    "leader": ("kill -9 of the leader", leader_of, signal.SIGKILL, LEADS),
    "follower": ("kill -9 of a follower", follower_of, signal.SIGKILL, ISR),
    "shutdown": ("controlled shutdown of the leader", leader_of, signal.SIGTERM, LEADS),
}


def gap_ms(c, topic, partitions, story):
    """Runs the producer, ends a broker in the middle; returns the gap, the servers' part of it and
    the broker."""
    _, choose, sig, line = STORIES[story]
    client = subprocess.Popen([BENCH, "gap", "-b", c.bootstrap, "-t", topic, "-n", str(SECONDS),
                               "-p", str(partitions)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        client.stdout.readline()
        time.sleep(1)
        victim = choose(c, topic)
        tail, since = LogTail(c), time.time()
        os.kill(c.nodes[victim]["pid"], sig)
        out, _ = client.communicate(timeout=SECONDS + 60)
    finally:
        client.kill()
    if client.returncode:
        raise Failed(f"records were lost or refused: {out}")
    return float(out.rsplit("gap_ms=", 1)[1]), tail.last_ms(since, line.format(topic=topic)), victim


class Writer(threading.Thread):
    """Metadata writes, one after the other, and when each was answered."""

    def __init__(self, c, topic):
        super().__init__(daemon=True)
        self.admin = AdminClient({"bootstrap.servers": c.bootstrap})
        self.topic, self.answers, self.errors, self.over = topic, [], [], False

    def run(self):
        n = 0
        while not self.over:
            n += 1
            change = {"retention.ms": str(10**9 + n), "min.insync.replicas": "2"}
            try:
                for f in self.admin.alter_configs(
                        [ConfigResource(ConfigResource.Type.TOPIC, self.topic, set_config=change)],
                        request_timeout=30).values():
                    f.result()
                self.answers.append(time.monotonic())
            except Exception as e:
                self.errors.append(str(e))


def active_of(c):
    return c.json("cluster", "health")["controller"]


def controller_gap(c, topic, o):
    """Kills the active controller; returns the gap of metadata writes and that of the producer."""
    client = subprocess.Popen([BENCH, "gap", "-b", c.bootstrap, "-t", topic, "-n", str(SECONDS),
                               "-p", str(o.partitions)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    writer = Writer(c, topic)
    try:
        client.stdout.readline()
        writer.start()
        time.sleep(1)
        victim = active_of(c)
        killed = time.monotonic()
        os.kill(c.nodes[victim]["pid"], signal.SIGKILL)
        out, _ = client.communicate(timeout=SECONDS + 60)
    finally:
        client.kill()
        writer.over = True
        writer.join()
    if client.returncode or writer.errors:
        raise Failed(f"refused: {out} {writer.errors}")
    at = writer.answers
    gap = max(b - a for a, b in zip(at, at[1:]) if b > killed - .01) * 1000
    usual = sorted(b - a for a, b in zip(at, at[1:]))[len(at) // 2] * 1000
    return gap, float(out.rsplit("gap_ms=", 1)[1]), usual, victim


def run_controller_story(o):
    gaps, data, usual = [], [], []
    with Cluster(controllers=3) as c:
        c.create("gap-controller", partitions=o.partitions, min_insync_replicas=2)
        for _ in range(o.kills):
            gap, producer, each, victim = controller_gap(c, "gap-controller", o)
            gaps.append(gap), data.append(producer), usual.append(each)
            wait_for(lambda: is_gone(c.nodes[victim]["pid"]), 30, f"the end of controller {victim}")
            c.restart(victim)
    tell("kill -9 of the active controller", gaps)
    tell("  the producer's gap", data)
    tell("  one write otherwise", usual)


def tell(what, v):
    v.sort()
    at = lambda q: v[min(len(v) - 1, int(len(v) * q))]
    print(f"{what:<34} n={len(v)} p50={at(.5):.1f} p90={at(.9):.1f} p99={at(.99):.1f} max={v[-1]:.1f} ms", flush=True)


def is_gone(pid):
    try:
        with open(f"/proc/{pid}/stat") as f:
            return f.read().rsplit(")", 1)[1].split()[0] == "Z"
    except FileNotFoundError:
        return True


def whole(c, topic, partitions):
    for n in range(partitions):
        c.wait_isr(topic, sorted(c.brokers), n)


def run_story(c, story, o):
    topic, gaps, servers = f"gap-{story}", [], []
    c.create(topic, partitions=o.partitions, min_insync_replicas=2)
    for _ in range(o.kills):
        gap, server, victim = gap_ms(c, topic, o.partitions, story)
        gaps.append(gap)
        if server is not None:
            servers.append(server)
        wait_for(lambda: is_gone(c.nodes[victim]["pid"]), 30, f"the end of broker {victim}")
        c.restart(victim)
        whole(c, topic, o.partitions)
        # Otherwise one broker leads everything after two kills.
        c.weir("leaders", "elect", "--all", check=False)
    tell(STORIES[story][0], gaps)
    tell("  the servers' part", servers)


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--kills", type=int, default=50)
    p.add_argument("--partitions", type=int, default=3)
    p.add_argument("--story", action="append", choices=[*STORIES, "controller"])
    o = p.parse_args()
    stories = o.story or [*STORIES, "controller"]
    with Cluster() as c:
        for story in stories:
            if story in STORIES:
                run_story(c, story, o)
    if "controller" in stories:
        run_controller_story(o)


if __name__ == "__main__":
    try:
        main()
    except Failed as why:
        sys.exit(f"failover: {why}")
