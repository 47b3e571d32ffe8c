#!/usr/bin/python3
"""run.py - Weir against the machine it runs on: `make perf`.

A cluster of one controller and three brokers on loopback, replication factor 3,
min.insync.replicas 2, acks=all, six partitions; the load generator (tests/perf/load.c) and the
servers share the machine.  The floor (tests/perf/floor.c) is measured before and after, because
the machine is never quiet: what counts is the share of the floor in this run.
"""
import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))
from lib.cluster import BUILD, Cluster, Failed

TICK = os.sysconf("SC_CLK_TCK")


def figures(*cmd):
    run = subprocess.run([os.path.join(BUILD, "tests/perf", cmd[0]), *map(str, cmd[1:])],
                         stdout=subprocess.PIPE, text=True, timeout=120)
    if run.returncode:
        raise Failed(f"{' '.join(map(str, cmd))}: exit {run.returncode}")
    return {k: float(v) for k, v in (f.split("=") for f in run.stdout.split())}


def server_cpu_s(c):
    total = 0
    for node in c.nodes.values():
        with open(f"/proc/{node['pid']}/stat") as f:
            fields = f.read().rsplit(")", 1)[1].split()
        total += int(fields[11]) + int(fields[12])
    return total / TICK


def load(c, topic, mode, *args):
    before = server_cpu_s(c)
    got = figures("load", mode, "-b", c.bootstrap.split(",")[0], "-t", topic, *args)
    got["server_ns"] = (server_cpu_s(c) - before) * 1e9 / max(1, got["total_bytes"])
    return got


def rss_mb(c):
    worst = 0
    for node in c.brokers.values():
        with open(f"/proc/{node['pid']}/status") as f:
            worst = max(worst, next(int(x.split()[1]) for x in f if x.startswith("VmRSS")))
    return worst / 1024


def line(what, value):
    print(f"{what:<58}{value}", flush=True)


def main():
    t0 = time.monotonic()
    with Cluster() as c:
        ready = (time.monotonic() - t0) * 1000
        t1 = time.monotonic()
        c.weir("topics", "create", "first", "-p", "1", "-r", "3")
        created = (time.monotonic() - t1) * 1000
        first = load(c, "first", "produce", "-c", 1, "-w", 1, "-B", 1100, "-d", 0.05, "-W", 0)["first_us"] / 1000
        line("exec to first record acknowledged by three replicas",
             f"{ready + created + first:.0f} ms: {ready:.0f} until four processes are ready, "
             f"{created:.0f} for the topic, {first:.0f} for a new client's first record")
        time.sleep(1)
        line("idle broker RSS", f"{rss_mb(c):.1f} MB")
        c.create("t", partitions=6, min_insync_replicas=2)
        # As many batches under way as the generator keeps: 6 connections x 5.
        floor = figures("floor", "-w", 30, "-d", c.dir)
        produce = load(c, "t", "produce")
        floor2 = figures("floor", "-w", 30, "-d", c.dir)
        mb = (floor["mb_s"] + floor2["mb_s"]) / 2
        ns = (floor["cpu_ns_per_byte"] + floor2["cpu_ns_per_byte"]) / 2
        line("floor: recv, crc, write, sendfile x2, no protocol",
             f"{mb:.0f} MB/s, {ns:.2f} ns/B (copy {floor['copy_ns']:.3f} crc {floor['crc_ns']:.3f} write {floor['write_ns']:.3f})")
        line("produce 1 KiB in 64 KiB batches, 6 connections x 5",
             f"{produce['mb_s']:.0f} MB/s = {100 * produce['mb_s'] / mb:.0f} % of the floor; servers "
             f"{produce['server_ns']:.2f} ns/B, client {produce['client_ns_per_byte']:.2f}; p50 {produce['p50_us']:.0f} "
             f"p99 {produce['p99_us']:.0f} p99.9 {produce['p999_us']:.0f} us")
        one_floor = figures("floor", "-b", 1100, "-w", 1, "-d", c.dir)
        one = load(c, "t", "produce", "-c", 1, "-w", 1, "-B", 1100)
        line("1 KiB, one in flight",
             f"p50 {one['p50_us']:.0f} p99 {one['p99_us']:.0f} p99.9 {one['p999_us']:.0f} us (floor p50 {one_floor['p50_us']:.0f} p99 {one_floor['p99_us']:.0f})")
        rate = load(c, "t", "produce", "-r", 15000, "-B", 16384, "-c", 6)
        line("15,000 records/s of 1 KiB, scheduled",
             f"p50 {rate['p50_us']:.0f} p99 {rate['p99_us']:.0f} p99.9 {rate['p999_us']:.0f} us")
        small = load(c, "t", "produce", "-s", 100)
        line("produce 100 B in 64 KiB batches", f"{small['records_s'] / 1e6:.2f} M records/s, {small['mb_s']:.0f} MB/s")
        fetch = load(c, "t", "fetch", "-B", 1048576)
        line("fetch from page cache, 6 connections", f"{fetch['mb_s']:.0f} MB/s; servers {fetch['server_ns']:.2f} ns/B")
        line("broker RSS after load", f"{rss_mb(c):.1f} MB")


if __name__ == "__main__":
    try:
        main()
    except Failed as why:
        sys.exit(f"perf: {why}")
