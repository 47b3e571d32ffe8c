#!/usr/bin/python3
"""cli_changes.py - what the weir command changes: where replicas lie, who leads, what an unclean
election would cost; and how fast it answers about a large topic."""
import json
import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from lib.cluster import WEIR, Cluster, expect, expect_eq, main, test, wait_for


def produce(c, topic, n, broker=None):
    subprocess.run(["kcat", "-P", "-b", c.nodes[broker]["address"] if broker else c.bootstrap, "-t", topic, "-p", "0",
                    "-X", "acks=all"], input="x\n" * n, text=True, check=True, timeout=60)


def replicas(c, topic):
    return [p["replicas"] for p in c.json("partitions", "list", topic)["items"]]


@test
def replicas_move_by_plan():
    with Cluster(brokers=4) as c:
        c.weir("topics", "create", "t", "--replicas", "1,2,3", "--replicas", "2,3,1")
        produce(c, "t", 100)
        dry = c.json("brokers", "drain", "3", "--dry-run")["items"]
        expect_eq([(i["old"], i["new"], i["result"]) for i in dry],
                  [([1, 2, 3], [1, 2, 4], "would move"), ([2, 3, 1], [2, 4, 1], "would move")], "the dry run")
        expect_eq(replicas(c, "t"), [[1, 2, 3], [2, 3, 1]], "after the dry run")
        done = c.weir("brokers", "drain", "3", "--throttle", "50MB/s", timeout=60)
        expect("done   2 partitions" in done.stdout, done.stdout)
        expect_eq(replicas(c, "t"), [[1, 2, 4], [2, 4, 1]], "after the drain")
        throttled = c.weir("configs", "get", "brokers/1").stdout + c.weir("configs", "get", "topics/t").stdout
        expect("throttled" not in throttled, throttled)
        expect_eq(c.weir("replicas", "status").stdout, "nothing moves\n", "status")
        c.weir("brokers", "undrain", "3", timeout=60)
        expect(any(3 in r for r in replicas(c, "t")), f"after the undrain {replicas(c, 't')}")
        c.weir("replicas", "set-factor", "t", "2", timeout=60)
        expect_eq([len(r) for r in replicas(c, "t")], [2, 2], "fewer replicas")
        plan = os.path.join(c.dir, "plan.json")
        with open(plan, "w") as f:
            json.dump({"version": 1, "partitions": [{"topic": "t", "partition": 0, "replicas": [3, 4, 1]}]}, f)
        c.weir("replicas", "reassign", "--plan", plan, timeout=60)
        expect_eq(replicas(c, "t")[0], [3, 4, 1], "by a plan")
        got = c.weir("replicas", "reassign", "--topics", "t", "--to", "1,2", check=False)
        expect(got.returncode == 6 and "more replicas than" in got.stderr, got.stderr)
        got = c.weir("replicas", "reassign", "--topics", "t", "--to", "1,9", check=False)
        expect(got.returncode == 7 and "no broker 9" in got.stderr, got.stderr)
        with open(plan, "w") as f:
            f.write('{"partitions":[{"topic":"t",')
        got = c.weir("replicas", "reassign", "--plan", plan, check=False)
        expect(got.returncode == 2 and "no JSON" in got.stderr, got.stderr)


@test
def a_move_that_cannot_end_is_cancelled():
    with Cluster(brokers=4) as c:
        c.weir("topics", "create", "t", "--replicas", "1,2,3")
        produce(c, "t", 10)
        c.weir("local", "kill", "4")
        wait_for(lambda: c.json("brokers", "describe", "4")["state"] == "fenced", 10, "broker 4 fenced")
        plan = os.path.join(c.dir, "plan.json")
        with open(plan, "w") as f:
            json.dump({"partitions": [{"topic": "t", "partition": 0, "replicas": [1, 2, 4]}]}, f)
        c.weir("replicas", "reassign", "--plan", plan, "--no-wait")
        moving = c.json("replicas", "status")["items"]
        expect_eq([(m["adding"], m["removing"]) for m in moving], [([4], [3])], "what moves")
        got = c.weir("replicas", "reassign", "--plan", plan, "--wait", "200ms", check=False)
        expect(got.returncode == 3 and "still move" in got.stderr, got.stderr)
        c.weir("replicas", "cancel", "t-0")
        expect_eq(replicas(c, "t"), [[1, 2, 3]], "as before")
        expect_eq(c.weir("replicas", "cancel").stdout, "nothing of that moves\n", "nothing left")


@test
def leaders_are_balanced_and_moved():
    with Cluster() as c:
        c.weir("topics", "create", "t", "--replicas", "1,2,3", "--replicas", "2,3,1", "--replicas", "1,3,2")
        c.weir("leaders", "move", "--from", "1")
        leads = {i["broker"]: i["leaders"] for i in c.json("leaders", "list")["items"]}
        expect_eq((leads[1], sum(leads.values())), (0, 3), "leaders after the move")
        out = c.weir("leaders", "elect", "t-1", "--to", "1").stdout
        expect("leader 2 -> 1" in out or "leader 3 -> 1" in out, out)
        expect_eq(c.partition("t", 1)["replicas"][0], 1, "it is the preferred one now")
        c.weir("leaders", "elect", "t-1", "--to", "2")
        c.weir("local", "kill", "2")
        wait_for(lambda: {i["broker"]: i["leaders"] for i in c.json("leaders", "list")["items"]}[2] == 0, 10,
                 "broker 2 to lead nothing")
        got = c.weir("leaders", "elect", "t-1", "--to", "2", check=False)
        expect(got.returncode == 6 and "not in the ISR" in got.stderr, got.stderr)
        c.restart(2)
        wait_for(lambda: not c.json("isr", "list", "--shrunk")["items"], 20, "all in sync")
        would = c.json("leaders", "balance", "--dry-run")["items"]
        expect(would and all(i["result"] == "would be elected" and i["leader"] == 2 for i in would), f"{would}")
        c.weir("leaders", "balance")
        expect("as far as it can" in c.weir("leaders", "balance").stdout, "a second balancing has nothing to do")


@test
def a_fenced_broker_stays_out_until_it_is_let_in():
    with Cluster() as c:
        c.weir("topics", "create", "t", "--replicas", "1,2,3", "-c", "min.insync.replicas=2")
        c.weir("topics", "create", "single", "--replicas", "1")
        got = c.weir("brokers", "fence", "1", check=False)
        expect(got.returncode == 6 and "--allow-unavailable" in got.stderr, got.stderr)
        c.weir("topics", "delete", "single", "--yes")
        produce(c, "t", 10)
        done = c.json("brokers", "fence", "1")["items"][0]
        expect_eq((done["old"], done["new"], done["leaders"]), ("up", "held", 1), "the change")
        part = c.partition("t")
        expect(part["leader"] != 1 and sorted(part["isr"]) == [2, 3], f"{part}")
        produce(c, "t", 10)
        c.restart(1)
        produce(c, "t", 10)
        expect_eq(c.json("brokers", "describe", "1")["state"], "held", "after a restart")
        health = c.weir("cluster", "health", check=False)
        expect(health.returncode == 1 and "brokers unfence 1" in health.stdout, health.stdout)
        check = c.weir("cluster", "check", "--nagios", check=False)
        expect(check.returncode == 1 and check.stdout.startswith("WEIR WARNING - brokers: 2 of 3 up, fenced: 1"), check.stdout)
        c.weir("brokers", "unfence", "1")
        c.wait_isr("t", [1, 2, 3])
        c.weir("leaders", "elect", "t-0")
        expect_eq(c.partition("t")["leader"], 1, "the leader")
        causes = [e["cause"] for e in c.json("events", "broker 1", "--type", "broker")["items"]]
        expect("fenced by an operator" in causes and "let in by an operator" in causes, f"{causes}")
        check = c.weir("cluster", "check", "--nagios")
        expect(check.stdout.startswith("WEIR OK - ") and "offline=0" in check.stdout, check.stdout)


@test
def an_unclean_election_says_first_what_it_costs():
    with Cluster() as c:
        c.weir("topics", "create", "u", "--replicas", "1,2", "-c", "min.insync.replicas=1")
        produce(c, "u", 10)
        for more, says in (([], "u-0   leader stays 1\n"), (["--dry-run"], "u-0 has leader 1, none needed\n")):
            expect_eq(c.weir("leaders", "elect", "u-0", "--unclean", *more).stdout, says, "where somebody leads")
        c.weir("local", "kill", "2")
        c.wait_isr("u", [1])
        produce(c, "u", 40, broker=1)
        c.weir("local", "kill", "1")
        c.restart(2)
        wait_for(lambda: c.partition("u")["leader"] < 0, 10, "u-0 without a leader")
        got = c.weir("leaders", "elect", "u-0", "--unclean", "-o", "json", "--timeout", "5", check=False)
        expect(got.returncode == 6 and "--allow-data-loss" in got.stderr, got.stderr)
        item = json.loads(got.stdout)["items"][0]
        expect_eq((item["candidate"], item["end"], item["lost"]), (2, 10, item["lost"]), "the candidate")
        local = subprocess.run([WEIR, "leaders", "elect", "u-0", "--unclean", "-o", "json", "--dir", c.dir, "-b", c.bootstrap],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60)
        item = json.loads(local.stdout)["items"][0]
        expect_eq((local.returncode, item["end"], item["lost"], item["silent"]), (6, 10, 40, []), "with the dead one's files")
        expect(item["lost_from"] and item["lost_to"] >= item["lost_from"], f"{item}")
        out = c.weir("leaders", "elect", "u-0", "--unclean", "--allow-data-loss").stdout
        expect("WOULD LOSE" in out and "leader none -> 2" in out, out)


@test
def topics_are_cloned_and_trimmed_and_their_files_listed():
    with Cluster() as c:
        c.weir("topics", "create", "t", "--replicas", "1,2,3", "-c", "retention.ms=1000000000", "-c", "min.insync.replicas=2")
        c.weir("topics", "clone", "t", "u")
        t, u = (c.json("topics", "describe", x)["items"][0] for x in "tu")
        expect_eq((u["replication_factor"], u["configs"], len(u["partitions"])),
                  (t["replication_factor"], t["configs"], len(t["partitions"])), "the clone")
        produce(c, "t", 10)
        dry = c.json("topics", "trim", "t", "--before", "4", "--dry-run")["items"][0]
        expect_eq((dry["start"], dry["deleted"], dry["result"]), (4, 4, "would be deleted"), "the dry run")
        expect_eq(c.weir("topics", "trim", "t", "--before", "4", check=False).returncode, 6, "without --yes")
        c.weir("topics", "trim", "t-0", "--before", "4", "--yes")
        expect_eq(c.json("topics", "describe", "t")["items"][0]["partitions"][0]["start"], 4, "the new start")
        c.weir("topics", "trim", "t", "--before", "2020-01-01", "--yes")
        expect_eq(c.json("topics", "describe", "t")["items"][0]["partitions"][0]["start"], 4, "all are younger")
        c.weir("topics", "trim", "t", "--before", "2100-01-01T00:00:00Z", "--yes")
        expect_eq(c.json("topics", "describe", "t")["items"][0]["partitions"][0]["start"], 10, "all are older")
        expect_eq(c.weir("topics", "trim", "t", "--before", "noon", check=False).returncode, 2, "no time")
        folder = c.log_dir(1, "t")
        segments = json.loads(c.weir("log", "segments", folder, "-o", "json").stdout)["items"]
        expect_eq([(s["last_offset"], s["state"]) for s in segments][-1][1], "ok", "segments")
        expect_eq(c.weir("log", "index", os.path.join(folder, "0" * 20 + ".index"), check=False).returncode in (0, 7),
                  True, "an index")
        expect_eq(c.weir("log", "segments", "/nonexistent", check=False).returncode, 7, "no directory")
        whole = [b["offsets"] for b in json.loads(c.weir("log", "dump", folder, "-o", "json").stdout)["items"]]
        expect_eq(whole[-1][1], 9, "the last offset of the partition's batches")
        expect_eq(c.weir("log", "dump", c.dir, check=False).returncode, 7, "a directory without segments")


@test
def a_thousand_partitions_are_described():
    with Cluster(brokers=1) as c:
        c.check_files = lambda: None    # a thousand empty logs, a process for each
        c.weir("topics", "create", "big", "-p", "1000", "-r", "1", timeout=60)
        took = []
        for _ in range(7):
            began = time.monotonic()
            out = c.weir("topics", "describe", "big").stdout
            took.append((time.monotonic() - began) * 1000)
        expect_eq(out.count("\n"), 1003, "lines")
        print(f"# topics describe of 1,000 partitions: best {min(took):.0f} ms, worst {max(took):.0f} ms, "
              "the process's start included")


if __name__ == "__main__":
    main()
