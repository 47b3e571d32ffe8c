#!/usr/bin/python3
"""disks.py - full, read-only and failing disks: errors for clients, never a crash, and a way back."""
import fcntl
import glob
import os
import shutil
import struct
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from lib.clients import producer, send, send_ok, values
from lib.cluster import Cluster, expect, expect_eq, main, test, wait_for
from lib.history import equal_replicas


class Small:
    """A file system of its own size, mounted over a node's data; None when this machine cannot."""

    def __init__(self, path, mib, kind="tmpfs"):
        self.path = path
        if kind == "tmpfs":
            cmd = ["mount", "-t", "tmpfs", "-o", f"size={mib}m", "weir-test", path]
            self.image = None
        else:
            self.image = tempfile.NamedTemporaryFile(prefix="weir-e2e-", suffix=".img")
            self.image.truncate(mib << 20)
            subprocess.run(["mkfs.ext4", "-q", "-m", "0", self.image.name], check=True, stderr=subprocess.DEVNULL)
            cmd = ["mount", "-o", "loop", self.image.name, path]
        done = subprocess.run(cmd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode:
            raise NotHere(done.stdout.strip())
        shutil.rmtree(os.path.join(path, "lost+found"), ignore_errors=True)

    def fill(self, leave=0):
        """A file takes what is left."""
        st = os.statvfs(self.path)
        with open(os.path.join(self.path, "ballast"), "wb") as f:
            try:
                for _ in range(max((st.f_bavail * st.f_frsize - leave) // 4096, 0)):
                    f.write(b"\1" * 4096)
                f.flush()
            except OSError:
                pass

    def free(self):
        os.unlink(os.path.join(self.path, "ballast"))

    def unmount(self):
        subprocess.run(["umount", "-l", self.path], check=False, stderr=subprocess.DEVNULL)
        if self.image:
            self.image.close()


class NotHere(Exception):
    """This machine cannot stage the story."""


def with_small_disk(node, mib, story, kind="tmpfs", **conf):
    """The cluster starts, the node stops, gets a small disk with what it had, and starts again."""
    with Cluster(**conf) as c:
        c.weir("local", "kill", str(node))
        data = os.path.join(c.nodes[node]["dir"], "data")
        kept = data + ".kept"
        os.rename(data, kept)
        os.mkdir(data)
        try:
            disk = Small(data, mib, kind)
        except (NotHere, OSError, subprocess.CalledProcessError) as why:
            print(f"SKIP {story.__name__} {why}")
            os.rmdir(data)
            os.rename(kept, data)
            return
        try:
            subprocess.run(["cp", "-a", kept + "/.", data], check=True)
            c.restart(node)
            story(c, disk)
        finally:
            c.weir("local", "down", check=False, timeout=60)
            disk.unmount()


def fill_by_producing(c, topic, n=400, size=50000):
    p = producer(c, acks="all", message_timeout_ms=8000)
    out = []
    for i in range(n):
        p.produce(topic, value=os.urandom(size), partition=0, on_delivery=lambda e, m: out.append(e))
        p.poll(0)
    p.flush(30)
    return out


def a_full_disk_refuses(reserve):
    def a_full_disk_refuses_records_and_comes_back(c, disk):
        c.create("t", [[1]], min_insync_replicas=1, file_delete_delay_ms=500)
        send_ok(producer(c), "t", b"before")
        out = fill_by_producing(c, "t")
        errors = [e for e in out if e]
        good = len(out) - len(errors)
        expect(errors, "20 MB were taken by a disk of 8 MB")
        got = values(c, "t")
        expect(len(got) >= good + 1 and got[0] == b"before", f"{good} were acknowledged, {len(got)} are read")
        expect("full" in c.log_text(1) and disk.path in c.log_text(1), "the log does not name the disk")
        c.weir("topics", "delete", "t", "--yes")
        c.create("u", [[1]], min_insync_replicas=1)
        wait_for(lambda: not send(producer(c, message_timeout_ms=3000), "u", b"after").error, 90,
                 "records after the disk was freed")
        expect(set(values(c, "u")) == {b"after"}, "records after the disk was freed")
        expect("offline" not in c.log_text(1), "a full disk is no failed disk")
    with_small_disk(1, 8, a_full_disk_refuses_records_and_comes_back,
                    conf={"log.dir.free.bytes.min": reserve})


@test
def a_disk_filled_to_its_end_refuses_records_and_comes_back():
    a_full_disk_refuses(0)


@test
def a_disk_filled_to_the_reserve_refuses_records_and_comes_back():
    a_full_disk_refuses(1 << 20)


def a_full_disk_is_freed_by_hand(kind):
    def a_full_disk_is_freed(c, disk):
        c.create("t", [[1, 2, 3]], min_insync_replicas=2)
        send_ok(producer(c), "t", b"before")
        disk.fill()
        out = send(producer(c, message_timeout_ms=3000), "t", os.urandom(200000))
        expect(out.error, "a full disk took a record")
        expect_eq(values(c, "t"), [b"before"], "records while the leader's disk is full")
        c.kill(1)
        c.restart(1)
        send_ok(producer(c), "t", b"meanwhile")
        disk.free()
        c.wait_isr("t", [1, 2, 3])
        c.weir("leaders", "elect", "t", "--partition", "0", check=False)
        wait_for(lambda: not send(producer(c, message_timeout_ms=3000), "t", b"after").error, 20, "records again")
        equal_replicas(c, "t")
        expect("offline" not in c.log_text(1), "a full disk is no failed disk")
    with_small_disk(1, 16, a_full_disk_is_freed, kind, conf={"replica.lag.time.max.ms": 2000, "log.dir.free.bytes.min": 4096})


@test
def a_full_tmpfs_is_freed_by_hand():
    a_full_disk_is_freed_by_hand("tmpfs")


@test
def a_full_ext4_is_freed_by_hand():
    a_full_disk_is_freed_by_hand("ext4")


@test
def a_follower_with_a_full_disk_leaves_the_isr():
    def story(c, disk):
        c.create("t", [[2, 1, 3]], min_insync_replicas=2)
        send_ok(producer(c), "t", b"before")
        disk.fill()
        p = producer(c)
        for _ in range(10):
            send_ok(p, "t", os.urandom(20000))
        c.wait_isr("t", [2, 3])
        disk.free()
        c.wait_isr("t", [1, 2, 3])
        equal_replicas(c, "t")
        expect("offline" not in c.log_text(1), "a full disk is no failed disk")
    with_small_disk(1, 16, story, conf={"replica.lag.time.max.ms": 2000, "log.dir.free.bytes.min": 4096})


EXT4_SHUTDOWN, NO_LOG_FLUSH = 0x8004587D, 2


@test
def a_dead_disk_takes_the_directory_offline():
    def story(c, disk):
        c.create("t", [[1, 2, 3]], min_insync_replicas=2)
        c.create("alone", [[1]], min_insync_replicas=1)
        send_ok(producer(c), "t", b"before")
        send_ok(producer(c), "alone", b"before")
        fd = os.open(disk.path, os.O_RDONLY)
        try:
            fcntl.ioctl(fd, EXT4_SHUTDOWN, struct.pack("I", NO_LOG_FLUSH))
        except OSError as why:
            print(f"SKIP a_dead_disk_takes_the_directory_offline {why}")
            return
        finally:
            os.close(fd)
        send_ok(producer(c), "t", b"after")
        expect(c.wait_leader("t") != 1, "a broker leads from a directory it cannot write to")
        out = send(producer(c, message_timeout_ms=3000), "alone", b"nowhere to go", seconds=10)
        expect(out.error, "a record was acknowledged by a dead disk")
        expect_eq(values(c, "t"), [b"before", b"after"], "records")
        expect("offline" in c.log_text(1), "broker 1 does not say that its directory is offline")
    with_small_disk(1, 16, story, "ext4", conf={"log.dir.free.bytes.min": 0})


@test
def one_of_two_directories_fails():
    with Cluster(conf={"log.dir.free.bytes.min": 0}) as c:
        more = os.path.join(c.nodes[1]["dir"], "more")
        conf = glob.glob(os.path.join(c.nodes[1]["dir"], "*.properties"))[0]
        with open(conf) as f:
            text = f.read()
        with open(conf, "w") as f:
            f.write(text.replace("/data", "/data," + more, 1))
        os.mkdir(more)
        try:
            disk = Small(more, 16, "ext4")
        except (NotHere, OSError, subprocess.CalledProcessError) as why:
            print(f"SKIP one_of_two_directories_fails {why}")
            return
        try:
            c.restart(1)
            c.create("t", [[1, 2, 3]] * 6, min_insync_replicas=2)
            wait_for(lambda: len(glob.glob(os.path.join(c.nodes[1]["dir"], "*", "t-?"))) == 6, 20, "six directories")
            there = [n for n in range(6) if os.path.isdir(os.path.join(more, f"t-{n}"))]
            expect(0 < len(there) < 6, f"of six partitions {there} are in the new directory")
            for n in range(6):
                send_ok(producer(c), "t", b"before", partition=n)
            fd = os.open(more, os.O_RDONLY)
            try:
                fcntl.ioctl(fd, EXT4_SHUTDOWN, struct.pack("I", NO_LOG_FLUSH))
            except OSError as why:
                print(f"SKIP one_of_two_directories_fails {why}")
                return
            finally:
                os.close(fd)
            send_ok(producer(c), "t", b"after", partition=there[0])
            for n in there:
                wait_for(lambda n=n: c.partition("t", n)["leader"] not in (1, -1), 15, f"t-{n} is led by another")
                expect(1 not in c.partition("t", n)["isr"], f"t-{n}: broker 1 is in sync")
            for n in set(range(6)) - set(there):
                expect_eq(c.partition("t", n)["leader"], 1, f"leader of t-{n}")
            expect_eq(c.json("brokers", "list")["items"][0]["state"], "up", "broker 1")
        finally:
            c.weir("local", "down", check=False, timeout=60)
            disk.unmount()


def is_traced(pid):
    """Every thread is."""
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/status") as f:
            if "TracerPid:\t0\n" in f.read():
                return False
    return True


@test
def a_failed_write_fences_the_directory():
    if not shutil.which("strace"):
        print("SKIP a_failed_write_fences_the_directory no strace")
        return
    with Cluster() as c:
        c.create("t", [[1, 2, 3]], min_insync_replicas=2)
        send_ok(producer(c), "t", b"before")
        tracer = subprocess.Popen(["strace", "-f", "-qq", "-p", str(c.nodes[1]["pid"]), "-e", "trace=pwritev,pwrite64,writev,fdatasync,fsync",
                                   "-e", "inject=pwritev,pwrite64,fdatasync,fsync:error=EIO", "-o", "/dev/null"],
                                  stderr=subprocess.PIPE, text=True)
        try:
            wait_for(lambda: tracer.poll() is not None or is_traced(c.nodes[1]["pid"]), 20, "strace to hold it")
            expect(tracer.poll() is None, f"strace: {tracer.poll()}")
            send_ok(producer(c), "t", b"after")
            expect(c.wait_leader("t", other_than=1) != 1, "still led by a broker that cannot write")
        finally:
            tracer.terminate()
            tracer.wait()
        expect_eq(values(c, "t"), [b"before", b"after"], "records")
        c.restart(1)
        c.wait_isr("t", [1, 2, 3])
        equal_replicas(c, "t")


@test
def the_controllers_disk_is_full():
    def story(c, disk):
        c.create("t", [[1, 2, 3]], min_insync_replicas=2)
        disk.fill()
        for i in range(300):
            # Less than what this waits for: without a controller a request waits as long as it may.
            done = c.weir("topics", "create", f"n{i}", "-p", "50", "--timeout", "5", check=False)
            if done.returncode:
                break
        expect(done.returncode, "a full disk took 300 topics")
        send_ok(producer(c), "t", b"records go on")
        disk.free()
        c.restart(101)
        wait_for(lambda: c.weir("topics", "create", "again", "--timeout", "5", check=False).returncode == 0, 30, "the controller to work again")
        send_ok(producer(c), "t", b"and on")
        expect_eq(values(c, "t"), [b"records go on", b"and on"], "records")
    with_small_disk(101, 4, story)


if __name__ == "__main__":
    main()
