#!/usr/bin/python3
"""failover.py - how long an unmodified librdkafka producer waits when a broker goes.

    tests/perf/failover.py [--kills N] [--partitions N] [--story leader|follower|shutdown]...

Three brokers, replication factor 3, acks=all, idempotent librdkafka defaults, one 100-byte record
a millisecond to each partition in turn (rdkafka_bench gap).  Each story ends a broker N times,
brings it back and waits until the ISR is whole again: SIGKILL of the leader, SIGKILL of a
follower, SIGTERM of the leader (controlled shutdown).  A gap is the longest time between two
delivery reports of one partition.

Three partitions give the client a connection to every broker, as in any real use.  With
--partitions 1 its only connection may be the one to the leader: librdkafka then connects to
another broker at once, but asks it for the new leader at its next look round, up to a second later.
"""
import argparse
import os
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))
from lib.cluster import BUILD, Cluster, Failed, wait_for

SECONDS = 4  # of the producer, for each kill
BENCH = os.path.join(BUILD, "tests/perf/rdkafka_bench")


def gap_ms(c, topic, partitions, end_one):
    """Runs the producer, ends a broker in the middle; returns the gap and the broker."""
    client = subprocess.Popen([BENCH, "gap", "-b", c.bootstrap, "-t", topic, "-n", str(SECONDS),
                               "-p", str(partitions)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        client.stdout.readline()
        time.sleep(1)
        victim = end_one(c, topic)
        out, _ = client.communicate(timeout=SECONDS + 60)
    finally:
        client.kill()
    if client.returncode:
        raise Failed(f"records were lost or refused: {out}")
    return float(out.rsplit("gap_ms=", 1)[1]), victim


def kill_leader(c, topic):
    victim = c.partition(topic)["leader"]
    c.kill(victim)
    return victim


def kill_follower(c, topic):
    p = c.partition(topic)
    victim = next(b for b in p["isr"] if b != p["leader"])
    c.kill(victim)
    return victim


def stop_leader(c, topic):
    victim = c.partition(topic)["leader"]
    os.kill(c.nodes[victim]["pid"], signal.SIGTERM)
    return victim


STORIES = {"leader": ("kill -9 of the leader", kill_leader), "follower": ("kill -9 of a follower", kill_follower),
           "shutdown": ("controlled shutdown of the leader", stop_leader)}


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
    words, end_one = STORIES[story]
    topic, gaps = f"gap-{story}", []
    c.create(topic, partitions=o.partitions, min_insync_replicas=2)
    for _ in range(o.kills):
        gap, victim = gap_ms(c, topic, o.partitions, end_one)
        gaps.append(gap)
        wait_for(lambda: is_gone(c.nodes[victim]["pid"]), 30, f"the end of broker {victim}")
        c.restart(victim)
        whole(c, topic, o.partitions)
        # Otherwise one broker leads everything after two kills.
        c.weir("leaders", "elect", "--all", check=False)
    gaps.sort()
    at = lambda q: gaps[min(len(gaps) - 1, int(len(gaps) * q))]
    print(f"{words:<34} n={len(gaps)} p50={at(.5):.0f} p90={at(.9):.0f} p99={at(.99):.0f} max={gaps[-1]:.0f} ms", flush=True)


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--kills", type=int, default=50)
    p.add_argument("--partitions", type=int, default=3)
    p.add_argument("--story", action="append", choices=list(STORIES))
    o = p.parse_args()
    with Cluster() as c:
        for story in o.story or list(STORIES):
            run_story(c, story, o)


if __name__ == "__main__":
    try:
        main()
    except Failed as why:
        sys.exit(f"failover: {why}")
