"""cluster.py - a cluster of real processes for the end-to-end tests, driven through `weir local`.

The tests use the operator's own tool, so that it is exercised by every run.  One Cluster owns a
temporary directory and every process in it; leaving the `with` block ends them by their ids.
Nothing here sleeps for effect: waits poll a condition and are bounded.
"""
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback

# The folder of the programs, as `make` hands it over.
BUILD = os.environ.get("BUILD", "build/release")
WEIR = os.path.abspath(os.path.join(BUILD, "weir"))
SANITIZED = any(s in BUILD for s in ("asan", "tsan", "ubsan"))
# Sanitizers cost an order of magnitude; bounds of waits grow with them, nothing is asserted on time.
PATIENCE = 4.0 if SANITIZED else 1.0

if SANITIZED:
    os.environ.setdefault("ASAN_OPTIONS", "detect_leaks=1:abort_on_error=0:exitcode=99")
    os.environ.setdefault("UBSAN_OPTIONS", "print_stacktrace=1")
    os.environ.setdefault("TSAN_OPTIONS", "exitcode=99:halt_on_error=0")


class Failed(Exception):
    """A test's expectation does not hold."""


def expect(ok, why):
    if not ok:
        raise Failed(why)


def expect_eq(got, want, what):
    if got != want:
        raise Failed(f"{what}: got {got!r}, want {want!r}")


def wait_for(condition, seconds, what):
    """Polls until condition() is true; its last value is returned."""
    end = time.monotonic() + seconds * PATIENCE
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise Failed(f"not within {seconds * PATIENCE:.0f} s: {what}")
        time.sleep(0.02)


PORT_STEP = 100     # from one node's port to the next one's, as `weir local up` does


def free_base_port(nodes=3):
    """A base such that base, base+1, base+100, base+101 ... are free and below the range that the
    kernel hands to clients: there a killed broker's port may be a client's by the time the broker
    comes back."""
    with open("/proc/sys/net/ipv4/ip_local_port_range") as f:
        lowest = min(int(f.read().split()[0]), 32768)
    room = lowest - 9100 - nodes * PORT_STEP
    for step in range(0, room, 7):
        base = 9100 + (os.getpid() * 7 + step) % room
        ports = [base + node * PORT_STEP + d for node in range(nodes) for d in (0, 1)]
        socks = []
        try:
            for p in ports:
                s = socket.socket()
                socks.append(s)
                s.bind(("127.0.0.1", p))
            return base
        except OSError:
            continue
        finally:
            for s in socks:
                s.close()
    raise Failed("no free ports")


class Cluster:
    def __init__(self, brokers=3, conf=None, controller_conf=None, controllers=1):
        self.dir = tempfile.mkdtemp(prefix="weir-e2e-")
        self.n, self.n_controllers = brokers, controllers
        self.conf, self.controller_conf = conf or {}, controller_conf or {}
        self.killed = set()

    def __enter__(self):
        args = ["local", "up", "-n", str(self.n), "--base-port",
                str(free_base_port(max(3, self.n, self.n_controllers)))]
        if self.n_controllers > 1:
            args += ["--controllers", str(self.n_controllers)]
        for key, value in self.conf.items():
            args += ["--config", f"{key}={value}"]
        for key, value in self.controller_conf.items():
            args += ["--controller-config", f"{key}={value}"]
        try:
            self.weir(*args, timeout=60)
        except Failed:
            self.show_logs()
            self.__exit__(None, None, None)
            raise
        self.refresh()
        return self

    def __exit__(self, kind, value, tb):
        try:
            if value is not None:
                self.show_logs()    # inside: a closed pipe must not leave processes behind
            self.weir("local", "down", check=False, timeout=60)
            self.sanitizer_reports(raise_on_any=kind is None)
            if kind is None:
                self.check_files()
        finally:
            for node in getattr(self, "nodes", {}).values():
                if node["pid"]:
                    end_process(node["pid"])
            if not os.environ.get("KEEP"):
                shutil.rmtree(self.dir, ignore_errors=True)

    # ---- the operator's tool ------------------------------------------------------------

    def weir(self, *args, check=True, timeout=45):    # more than the command's own
        cmd = [WEIR, *args]
        if args[0] == "local":
            cmd += ["--dir", self.dir]
        elif "-b" not in args and getattr(self, "bootstrap", None):
            cmd += ["-b", self.bootstrap]
        done = subprocess.run(cmd, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              timeout=timeout * PATIENCE)
        if check and done.returncode:
            raise Failed(f"{' '.join(args)}: exit {done.returncode}: {done.stderr.strip() or done.stdout.strip()}")
        return done

    def json(self, *args, check=True):
        return json.loads(self.weir(*args, "-o", "json", check=check).stdout)

    def refresh(self):
        items = self.json("local", "status", check=False)["items"]  # exit 1: not all of them run
        self.nodes = {int(i["id"]): i for i in items}
        self.brokers = {k: v for k, v in self.nodes.items() if v["role"] == "broker"}
        self.bootstrap = ",".join(b["address"] for b in self.brokers.values())

    def kill(self, node):
        """SIGKILL, and the process is gone when this returns: a large one takes some time to exit,
        and holds its locks and its port as long."""
        pid = self.nodes[node]["pid"]
        os.kill(pid, signal.SIGKILL)
        self.killed.add(node)
        wait_for(lambda: not is_alive(pid), 10, f"node {node} to be gone")

    def pause(self, node):
        """Every thread stands still when this returns; a signal alone would only have been sent."""
        pid = self.nodes[node]["pid"]
        os.kill(pid, signal.SIGSTOP)

        def is_stopped():
            for task in os.listdir(f"/proc/{pid}/task"):
                with open(f"/proc/{pid}/task/{task}/stat") as f:
                    if f.read().rsplit(")", 1)[1].split()[0] != "T":
                        return False
            return True
        wait_for(is_stopped, 5, f"broker {node} to stand still")

    def resume(self, node):
        os.kill(self.nodes[node]["pid"], signal.SIGCONT)

    def restart(self, node):
        self.weir("local", "restart", str(node), timeout=60)
        self.refresh()

    # ---- topics and partitions ------------------------------------------------------------

    def create(self, topic, assignment=None, partitions=1, rf=3, **configs):
        from confluent_kafka.admin import AdminClient, NewTopic
        admin = AdminClient({"bootstrap.servers": self.bootstrap})
        configs = {k.replace("_", "."): str(v) for k, v in configs.items()}
        if assignment:
            new = NewTopic(topic, len(assignment), replica_assignment=assignment, config=configs)
        else:
            new = NewTopic(topic, partitions, rf, config=configs)
        admin.create_topics([new], request_timeout=20)[topic].result()

    def partition(self, topic, number=0):
        """leader, isr, leader_epoch as the controller has them."""
        for p in self.json("partitions", "list", topic)["items"]:
            if p["partition"] == number and p["topic"] == topic:
                return p
        raise Failed(f"{topic}-{number} is not listed")

    def wait_leader(self, topic, number=0, other_than=None, seconds=15):
        def led():
            leader = self.partition(topic, number)["leader"]
            return leader if leader > 0 and leader != other_than else None
        return wait_for(led, seconds, f"a leader of {topic}-{number}")

    def wait_isr(self, topic, ids, number=0, seconds=30):
        wait_for(lambda: sorted(self.partition(topic, number)["isr"]) == sorted(ids), seconds,
                 f"ISR {sorted(ids)} of {topic}-{number}")

    def log_dir(self, node, topic, number=0):
        for base, dirs, _ in os.walk(os.path.join(self.nodes[node]["dir"])):
            if f"{topic}-{number}" in dirs:
                return os.path.join(base, f"{topic}-{number}")
        raise Failed(f"broker {node} has no directory of {topic}-{number}")

    def log_bytes(self, node, topic, number=0):
        """The partition's segments, joined: what is compared between replicas."""
        d = self.log_dir(node, topic, number)
        return b"".join(open(os.path.join(d, f), "rb").read() for f in sorted(os.listdir(d))
                        if f.endswith(".log"))

    def check_files(self):
        """Every segment and index that the story left behind is what its format says.  What a killed
        broker was about to write ends at any page, and stays so where the replica was taken away
        meanwhile: such a directory is set aside unopened."""
        for node in self.brokers.values():
            for base, f in ((b, f) for b, _, files in os.walk(node["dir"]) for f in files):
                if re.match(r"^\d{20}\.log$", f):
                    done = self.weir("log", "dump", "--verify", os.path.join(base, f), check=False, timeout=60)
                    torn = int(node["id"]) in self.killed and base.endswith("-delete") and \
                        "what follows is no whole batch" in done.stderr
                    expect(done.returncode == 0 or torn, f"{os.path.join(base, f)}: {done.stderr.strip()}")

    # ---- what went wrong ------------------------------------------------------------------

    def log_text(self, node):
        with open(self.nodes[node]["log"], errors="replace") as f:
            return f.read()

    def log_files(self):
        for base, _, files in os.walk(self.dir):
            for f in files:
                if f.endswith((".log", ".out", ".err")) and not re.match(r"^\d{20}\.log$", f):
                    yield os.path.join(base, f)

    def show_logs(self):
        for path in sorted(self.log_files()):
            with open(path, errors="replace") as f:
                tail = f.readlines()[-25:]
            print(f"--- {os.path.relpath(path, self.dir)}")
            sys.stdout.writelines("    " + line for line in tail)

    def sanitizer_reports(self, raise_on_any):
        for path in self.log_files():
            with open(path, errors="replace") as f:
                text = f.read()
            found = re.search(r"(ERROR: \w+Sanitizer|WARNING: ThreadSanitizer|runtime error:|assertion failed).*", text)
            if found:
                print("".join(text[max(0, found.start() - 500):found.start() + 6000]))
                if raise_on_any:
                    raise Failed(f"{os.path.basename(path)}: {found.group(0)}")


def is_alive(pid):
    """Its locks and ports are held until the last of its threads has ended."""
    try:
        if len(os.listdir(f"/proc/{pid}/task")) > 1:
            return True
        with open(f"/proc/{pid}/stat") as f:
            return f.read().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def end_process(pid):
    for sig in (signal.SIGCONT, signal.SIGKILL):
        try:
            os.kill(pid, sig)
        except ProcessLookupError:
            return


# ---- running ----------------------------------------------------------------------------------

TESTS = []


def test(fn):
    TESTS.append(fn)
    return fn


def main():
    """Runs the file's tests, or those whose name contains one of the arguments."""
    failed = 0
    for fn in TESTS:
        if sys.argv[1:] and not any(a in fn.__name__ for a in sys.argv[1:]):
            continue
        start = time.monotonic()
        try:
            fn()
            print(f"PASS {fn.__name__} ({time.monotonic() - start:.1f} s)", flush=True)
        except Failed as why:
            failed += 1
            print(f"FAIL {fn.__name__} {why}", flush=True)
        except Exception as why:  # a crash of the test itself is a failure with its trace
            failed += 1
            traceback.print_exc()
            print(f"FAIL {fn.__name__} {type(why).__name__}: {why}", flush=True)
    sys.exit(1 if failed else 0)
