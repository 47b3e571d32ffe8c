#!/usr/bin/python3
"""failover.py - how long clients wait when a broker or a controller goes, again and again.

    tests/perf/failover.py [--kills N] [--story leader|follower|shutdown|controller|create]...
                           [--partitions N] [--creations N] [-X KEY=VALUE]... [-v]

Three brokers, replication factor 3, min.insync.replicas 2, acks=all.  Two clients write through
every kill: an unmodified librdkafka producer (idempotent, defaults, one 100-byte record a
millisecond to the partitions in turn; rdkafka_bench gap), a new one for each kill, because a
connection that was refused makes it wait for up to ten seconds even when the broker is long back;
and our own generator, one for all, which is idempotent, too, but reacts at once (tests/perf/gap.c).
A gap is the longest time between two acknowledgements of one partition around the kill.

  leader      SIGKILL of the broker that leads a partition, each partition in turn
  follower    SIGKILL; gaps count on the partitions that it only followed
  shutdown    SIGTERM (controlled shutdown) of the leader
  controller  SIGKILL of the active one of three controllers; one more client changes a topic's
              config as fast as it is answered
  create      nobody is killed: CreateTopics and metadata writes, one after the other, with three
              controllers

Each kill: a client, CALM_S without anything, the signal, SETTLE_S for the gap, restart, ISR (or
quorum) whole, leaders where they belong.  Printed, in milliseconds:

  librdkafka, generator   the gap; "calm": the longest one in the CALM_S before the kill
  the servers' part       from the signal to the last line of a new leader (for a follower: to the
                          last ISR without it), by the brokers' logs, to the millisecond; with -v
                          also when the controller heard that the connection is closed, when it
                          decided, and when the first broker was told: between the two is the sync
                          of the metadata log
  the machine             how late a ticker woke that sleeps a millisecond at a time, on each CPU: in
                          the same time as the gap, and calm.  What it stands still nobody serves
  the disk                the longest of the syncs of 100 bytes that one process makes all the time; a
                          decision of the controller waits for one
  coming back             the generator's longest gap from the restart until all is whole

At the end of a story everything is read back and compared with what was acknowledged: nothing may
be missing, there twice or out of order, or the exit status is 1.

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

from lib.cluster import BUILD, Cluster, Failed, is_alive, wait_for

SETTLE_S, CALM_S = .35, .35
TOOLS = os.path.join(BUILD, "tests/perf")


class Client:
    """A process that writes its gaps into a file until it is told to stop."""

    def __init__(self, c, name, *command):
        self.path = os.path.join(c.dir, f"gaps-{name}")
        self.process = subprocess.Popen([*command, "-o", self.path], stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL, text=True)
        self.process.stdout.readline()  # "go"

    def stop(self):
        """Its last line, and its gaps: partition (or CPU), from, to in seconds of time.monotonic()."""
        self.process.terminate()
        out, _ = self.process.communicate(timeout=60)
        if self.process.returncode:
            raise Failed(f"{self.path}: records were lost or refused: {out}")
        with open(self.path) as f:
            self.gaps = [(int(p), int(a) / 1e6, int(b) / 1e6) for p, a, b in map(str.split, f)]
        self.gaps.sort(key=lambda g: g[1])
        return out

    def longest(self, since, until, partitions=None):
        """In milliseconds, of those that began before `until` and ended after `since`."""
        found = [b - a for p, a, b in self.gaps
                 if a < until and b > since and (partitions is None or p in partitions)]
        return max(found, default=0) * 1000

    def calm(self, since, until):
        """What of its gaps lies between the two, the longest."""
        return max((min(b, until) - max(a, since) for _, a, b in self.gaps
                    if a < until and b > since), default=0) * 1000


class Writer(threading.Thread):
    """Metadata writes, one after the other, and when each was answered."""

    def __init__(self, c, topic):
        super().__init__(daemon=True)
        self.admin = AdminClient({"bootstrap.servers": c.bootstrap})
        self.topic, self.gaps, self.errors, self.over, self.last = topic, [], [], False, 0

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
                now = time.monotonic()
                self.gaps.append((0, self.last or now, now))
                self.last = now
            except Exception as e:
                self.errors.append(str(e))

    longest, calm = Client.longest, Client.calm

    def stop(self):
        self.over = True
        self.join()
        if self.errors:
            raise Failed(f"metadata writes were refused: {self.errors}")


class LogTail:
    """What the nodes' logs get from here until `read`."""

    def __init__(self, c):
        self.lines, self.files = [], [open(n["log"], errors="replace") for n in c.nodes.values()]
        for f in self.files:
            f.seek(0, os.SEEK_END)

    def read(self):
        for f in self.files:
            self.lines += f
            f.close()

    def times(self, since, what):
        """Milliseconds from `since` to the first and the last line that matches; None: there is none."""
        found = [(datetime.strptime(line.split()[0], "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=timezone.utc)
                  .timestamp() - since) * 1000 for line in self.lines if re.search(what, line)]
        return min(found, default=None), max(found, default=None)


class Kill:
    """When what happened, in seconds of time.monotonic(), and the partitions whose gaps count."""

    def __init__(self, client):
        time.sleep(CALM_S)
        self.client, self.partitions, self.servers, self.steps = client, None, None, {}

    def end(self, c, victim, sig):
        """Returns when the process is gone and the client is done."""
        self.at, self.wall = time.monotonic(), time.time()
        os.kill(c.nodes[victim]["pid"], sig)
        time.sleep(SETTLE_S)
        self.over = time.monotonic()
        self.acked = int(re.search(r"acked=(\d+)", self.client.stop()).group(1))
        wait_for(lambda: not is_alive(c.nodes[victim]["pid"]), 30, f"the end of node {victim}")

    def mend(self, c, victim, is_whole):
        self.restarted = time.monotonic()
        c.weir("local", "restart", str(victim), timeout=60)
        wait_for(is_whole, 30, "everything to be whole")
        c.weir("leaders", "elect", "--all", check=False)  # otherwise one broker soon leads all
        c.refresh()
        self.whole = time.monotonic()


def rows(c, topic):
    return [p for p in c.json("partitions", "list", topic)["items"] if p["topic"] == topic]


def end_broker(c, topic, story, n, client):
    k, parts = Kill(client), rows(c, topic)
    victim = parts[n % len(parts)]["leader"]
    if story == "follower":
        k.partitions = {p["partition"] for p in parts if p["leader"] != victim}
    tail = LogTail(c)
    k.end(c, victim, signal.SIGTERM if story == "shutdown" else signal.SIGKILL)
    line = "isr" if story == "follower" else "leader"
    tail.read()
    first, k.servers = tail.times(k.wall, f" partition {line} partition={topic}-")
    k.steps = {"heard": tail.times(k.wall, f" a broker's connection closed broker={victim} ")[0],
               "decided": tail.times(k.wall, f" broker fenced broker={victim} ")[0], "told": first}
    k.mend(c, victim, lambda: all(len(p["isr"]) == len(c.brokers) for p in rows(c, topic)))
    return k


def end_controller(c, _topic, _story, _n, client):
    k, victim = Kill(client), c.json("cluster", "health")["controller"]
    k.end(c, victim, signal.SIGKILL)
    k.mend(c, victim, lambda: all(m["lag"] == 0 and (m["last_heard_ms"] or 0) < 200
                                  for m in c.json("quorum")["items"]))
    return k


STORIES = {
    "leader": ("kill -9 of the leader", end_broker, 1),
    "follower": ("kill -9 of a follower", end_broker, 1),
    "shutdown": ("controlled shutdown of the leader", end_broker, 1),
    "controller": ("kill -9 of the active controller", end_controller, 3),
}


def run_story(c, story, o):
    name, end, _ = STORIES[story]
    topic, where, begun = f"gap-{story}", ("-b", c.bootstrap, "-t"), time.monotonic()
    c.create(topic, partitions=o.partitions, min_insync_replicas=2)
    beside = {"generator": Client(c, "g", f"{TOOLS}/gap", "produce", *where, topic)}
    tickers = [Client(c, f"tick-{cpu}", f"{TOOLS}/gap", "tick", "-c", str(cpu))
               for cpu in sorted(os.sched_getaffinity(0))]
    disk = Client(c, "sync", f"{TOOLS}/gap", "sync")
    if story == "controller":
        beside["metadata writes"] = Writer(c, topic)
        beside["metadata writes"].start()
    kills, acked, sent = [], {"librdkafka": 0}, {}
    try:
        for n in range(o.kills):
            client = Client(c, "r", f"{TOOLS}/rdkafka_bench", "gap", *where, topic,
                            "-p", str(o.partitions), "-f", str(acked["librdkafka"] // o.partitions),
                            *(x for option in o.X for x in ("-X", option)))
            try:
                kills.append(end(c, topic, story, n, client))
            finally:
                client.process.kill()
            acked["librdkafka"] += kills[-1].acked
    finally:
        for what, client in beside.items():
            sent[what] = client.stop()
        for t in [*tickers, disk]:
            t.stop()
    acked["generator"] = int(sent["generator"].rsplit("records=", 1)[1])
    print(f"\n{name}: {o.kills} times in {time.monotonic() - begun:.0f} s", flush=True)
    tell_story(kills, beside, tickers, disk, o)
    read_back(c, topic, o, acked)


def tell_story(kills, beside, tickers, disk, o):
    def machine(since, until):
        return max(t.calm(since, until) for t in tickers)

    for k in kills if o.v else []:
        print(f"    librdkafka {k.client.longest(k.at, k.over, k.partitions):.1f}, "
              f"generator {beside['generator'].longest(k.at, k.over, k.partitions):.1f}, "
              + "".join(f"{what} {ms or 0:.1f}, " for what, ms in k.steps.items()) +
              f"servers {k.servers or 0:.1f}, machine {machine(k.at, k.over):.1f}, disk {disk.calm(k.at, k.over):.1f} ms")
    for what in ["librdkafka", *beside]:
        by = [(k, beside.get(what, k.client)) for k in kills]
        tell(what, [client.longest(k.at, k.over, k.partitions) for k, client in by])
        tell("  calm", [client.calm(k.at - CALM_S, k.at) for k, client in by])
    tell("the servers' part", [k.servers for k in kills if k.servers is not None])
    tell("the machine", [machine(k.at, k.over) for k in kills])
    tell("  calm", [machine(k.at - CALM_S, k.at) for k in kills])
    tell("the disk", [disk.calm(k.at, k.over) for k in kills])
    tell("  calm", [disk.calm(k.at - CALM_S, k.at) for k in kills])
    tell("coming back", [beside["generator"].longest(k.restarted + .01, k.whole) for k in kills])


def read_back(c, topic, o, acked):
    """Both clients only end well when all they sent was acknowledged."""
    done = subprocess.run([f"{TOOLS}/rdkafka_bench", "check", "-b", c.bootstrap, "-t", topic,
                           "-p", str(o.partitions)], stdout=subprocess.PIPE, text=True, timeout=600)
    there = {k: int(v) for k, v in re.findall(r"(\w+)=(\d+)", done.stdout)}
    print(f"  acknowledged: {' '.join(f'{who}={n}' for who, n in acked.items())}\n"
          f"  read back:    {done.stdout.strip()}", flush=True)
    if done.returncode or any(there[who] != n for who, n in acked.items()):
        raise Failed(f"{topic}: what was acknowledged is not what is there")


def tell(what, v):
    v.sort()
    if not v:
        return
    at = lambda q: v[min(len(v) - 1, int(len(v) * q))]
    print(f"  {what:<20} n={len(v)} p50={at(.5):.1f} p90={at(.9):.1f} p99={at(.99):.1f} max={v[-1]:.1f} ms",
          flush=True)


def run_create(o):
    """The floor beside it: 100 bytes appended to a file of the same disk and synced, in between."""
    with Cluster(controllers=3) as c:
        c.create("warm")
        done = subprocess.run([f"{TOOLS}/rdkafka_bench", "create", "-b", c.bootstrap, "-t", "one",
                               "-n", str(o.creations), "-o", os.path.join(c.dir, "floor")],
                              stdout=subprocess.PIPE, text=True, timeout=600)
        print(f"\nmetadata by an unmodified librdkafka, three controllers\n{done.stdout}", end="")
        if done.returncode:
            raise Failed("a topic was not created")


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--kills", type=int, default=50)
    p.add_argument("--partitions", type=int, default=3)
    p.add_argument("--creations", type=int, default=300)
    p.add_argument("--story", action="append", choices=[*STORIES, "create"])
    p.add_argument("-X", action="append", default=[], help="an option of librdkafka other than its default")
    p.add_argument("-v", action="store_true", help="each kill's gaps, too")
    o = p.parse_args()
    stories = o.story or [*STORIES, "create"]
    for controllers in (1, 3):
        of_it = [s for s in stories if s in STORIES and STORIES[s][2] == controllers]
        if not of_it:
            continue
        with Cluster(controllers=controllers) as c:
            for story in of_it:
                run_story(c, story, o)
    if "create" in stories:
        run_create(o)


if __name__ == "__main__":
    try:
        main()
    except Failed as why:
        sys.exit(f"failover: {why}")
