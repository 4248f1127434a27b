# SPDX-License-Identifier: Apache-2.0
"""Clusters of real processes on this machine: how they find each other, what they refuse, how they stop, what they
say when one of them is lost. Every process writes what it says to a file, so that nothing blocks on a full pipe."""
import errno
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
WAX = os.path.abspath(os.environ.get("WAX", f"{ROOT}/build/wax"))
SECONDS_MAX = 60

OK, FAILED, USAGE, MISMATCH, PEER, NETWORK = 0, 1, 2, 4, 5, 6

# A part per worker gives `n` numbers (0: without end), one every `every` milliseconds. They are spread over all
# workers, where step 'work' does to the number `at` what `what` says.
FLOW = r"""
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <wax/wax.h>

typedef struct ticks { int64_t n, every, parts; } ticks;
WAX_SELF(ticks);
WAX_RECORD(tick_pos, (int64_t, next), (int64_t, due));
WAX_SOURCE(tick, int64_t, ticks, tick_pos)
{
    if (self->every > 0 && wax_now(cx) < pos->due) {
        *wake = pos->due;
        return WAX_OK;
    }
    pos->due = wax_now(cx) + self->every * 1000;
    for (int i = 0; i < (self->every > 0 ? 1 : 1000) && (self->n == 0 || pos->next < self->n); i++)
        wax_emit(out, pos->next++);
    return self->n > 0 && pos->next >= self->n ? WAX_EOF : WAX_OK;
}
WAX_PARTS(tick)
{
    for (int64_t i = 0; i < self->parts; i++)
        wax_part(parts, "%lld", (long long)i);
    return WAX_OK;
}

typedef struct work { const char *what; int64_t at, seconds; volatile int *nowhere; } work;
WAX_SELF(work);
WAX_MAP(work_on, int64_t, int64_t, work)
{
    if (*in == self->at && strcmp(self->what, "fail") == 0)
        return wax_fail(cx, "number %lld is not liked", (long long)*in);
    if (*in == self->at && strcmp(self->what, "crash") == 0)
        *self->nowhere = 1;
    if (*in == self->at && strcmp(self->what, "block") == 0)
        for (int64_t left = self->seconds * 10; left > 0; left--)
            usleep(100000);
    *out = *in;
    return WAX_EMIT;
}

static void build(wax_flow *flow)
{
    ticks t = {wax_param_i64(flow, "n", 100), wax_param_i64(flow, "every", 0), wax_param_i64(flow, "parts", 2)};
    work w = {wax_param(flow, "what", "nothing"), wax_param_i64(flow, "at", 50),
              wax_param_i64(flow, "seconds", 3), NULL};
    wax_stream(int64_t) numbers = wax_input(flow, "numbers", wax_from(tick, &t));
    wax_stream(int64_t) spread = wax_redistribute("spread", numbers);
    wax_output("out", wax_map("work", spread, work_on, &w), wax_stdout());
}
WAX_DATAFLOW(ticks) { build(flow); }
WAX_DATAFLOW(others) { build(flow); }
WAX_DATAFLOW(longer)
{
    wax_stream(int64_t) numbers = wax_input(flow, "numbers", wax_testing_range(0, 10));
    wax_output("out", wax_redistribute("spread", numbers), wax_stdout());
}
"""


NEXT_PORT = random.randrange(10000, 20000)


def free_ports(n, family=socket.AF_INET, host="127.0.0.1"):
    """`n` ports in a row that nobody listens on, below those that the kernel gives to outgoing connections."""
    global NEXT_PORT  # pylint: disable=global-statement
    while True:
        NEXT_PORT = NEXT_PORT + n if NEXT_PORT < 30000 else 10000
        ports = range(NEXT_PORT, NEXT_PORT + n)
        held = [socket.socket(family) for _ in ports]
        try:
            for one, port in zip(held, ports):
                one.bind((host, port))
            return list(ports)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
        finally:
            for one in held:
                one.close()


class Process:
    """One `wax run`."""

    def __init__(self, test, *arguments, prefix=(), group=None, **environment):
        self.test = test
        self.log = tempfile.TemporaryFile(mode="w+")
        self.out = tempfile.TemporaryFile(mode="w+")
        env = {key: value for key, value in os.environ.items() if not key.startswith("WAX_")}
        env.update(environment)
        self.command = [*prefix, WAX, "run", *arguments]
        self.child = subprocess.Popen(self.command, cwd=test.dir, stdin=subprocess.DEVNULL,
                                      stdout=self.out, stderr=self.log, env=env, process_group=group)
        test.addCleanup(self.close)

    def close(self):
        if self.child.poll() is None:
            self.child.kill()
            self.child.wait()
        self.log.close()
        self.out.close()

    @staticmethod
    def read(file):
        return os.pread(file.fileno(), 1 << 20, 0).decode()

    def said(self):
        return self.read(self.log)

    def lines(self):
        return self.read(self.out).splitlines()

    def signal(self, number):
        self.child.send_signal(number)

    def wait(self, seconds=SECONDS_MAX):
        """The exit code."""
        try:
            return self.child.wait(seconds)
        except subprocess.TimeoutExpired:
            self.test.fail(f"{' '.join(self.command)} has not ended in {seconds} s; it said: {self.said()}")

    def wait_for(self, what, seconds=SECONDS_MAX):
        """Until it has said something that matches `what`, which is returned."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            found = re.search(what, self.said())
            if found:
                return found
            if self.child.poll() is not None:
                found = re.search(what, self.said())
                if found:
                    return found
                break
            time.sleep(0.02)
        self.test.fail(f"{' '.join(self.command)} (exit code {self.child.poll()}) has not said '{what}' but: "
                       f"{self.said()}")

    def wait_lines(self, n, seconds=SECONDS_MAX):
        """Until it has written `n` lines."""
        end = time.monotonic() + seconds
        while len(self.lines()) < n:
            if time.monotonic() > end or self.child.poll() is not None:
                self.test.fail(f"{' '.join(self.command)} has written {len(self.lines())} lines; it said: "
                               f"{self.said()}")
            time.sleep(0.02)


class Machines:
    """Three network name spaces on one bridge: each has its own address and its own ports."""

    def __init__(self, test):
        self.names = [f"wax-test-{os.getpid()}-{i}" for i in range(3)]
        self.test = test
        try:
            subprocess.run(["ip", "netns", "add", self.names[0]], capture_output=True, check=True)
            test.addCleanup(self.remove)
            for name in self.names[1:]:
                subprocess.run(["ip", "netns", "add", name], capture_output=True, check=True)
            for command in self.commands():
                subprocess.run(command.split(), capture_output=True, check=True)
        except (FileNotFoundError, subprocess.CalledProcessError) as error:
            test.skipTest(f"cannot make network name spaces on this machine: {error}")

    def commands(self):
        hub = self.names[0]
        yield f"ip -n {hub} link add hub type bridge"
        yield f"ip -n {hub} addr add {self.address(0)}/24 dev hub"
        yield f"ip -n {hub} link set hub up"
        for i in (1, 2):
            yield f"ip -n {hub} link add to{i} type veth peer name eth0 netns {self.names[i]}"
            yield f"ip -n {hub} link set to{i} master hub up"
            yield f"ip -n {self.names[i]} addr add {self.address(i)}/24 dev eth0"
            yield f"ip -n {self.names[i]} link set eth0 up"
        for name in self.names:
            yield f"ip -n {name} link set lo up"

    def remove(self):
        for name in self.names:
            subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)

    @staticmethod
    def address(i):
        return f"10.213.7.{i + 1}"

    def enter(self, i):
        return ["ip", "netns", "exec", self.names[i]]


class ClusterTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.dir = tempfile.mkdtemp()
        with open(f"{cls.dir}/ticks.c", "w", encoding="utf-8") as file:
            file.write(FLOW)
        subprocess.run([WAX, "build", "ticks.c", "-o", "ticks.so"], cwd=cls.dir, check=True)
        os.unlink(f"{cls.dir}/ticks.c")

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.dir)

    def addresses(self, n):
        return ";".join(f"127.0.0.1:{port}" for port in free_ports(n))

    def start(self, i, addresses, *arguments, flow="ticks", **more):
        return Process(self, flow, f"-i{i}", "-a", addresses, *arguments, **more)

    def cluster(self, n, *arguments, addresses=None, **more):
        addresses = addresses or self.addresses(n)
        return [self.start(i, addresses, *arguments, **more) for i in range(n)]

    def numbers(self, processes, n, parts):
        """All processes together have written every part's numbers."""
        written = sorted(int(line) for process in processes for line in process.lines())
        self.assertEqual(written, sorted(list(range(n)) * parts))

    def all_end(self, processes, code):
        for process in processes:
            self.assertEqual(process.wait(), code, process.said())


class Joining(ClusterTest):
    def test_sizes(self):
        for processes, workers in [(1, 1), (2, 1), (2, 3), (3, 2), (5, 1)]:
            with self.subTest(processes=processes, workers=workers):
                cluster = self.cluster(processes, f"-w{workers}", "-Dn=3000", "-Dparts=3")
                self.all_end(cluster, OK)
                self.numbers(cluster, 3000, 3)
                self.assertEqual([process.said() for process in cluster], [""] * processes)

    def test_any_order_minutes_apart(self):
        for order in [(0, 1, 2), (2, 1, 0), (1, 0, 2)]:
            with self.subTest(order=order):
                addresses = self.addresses(3)
                first, second, third = order
                early = self.start(first, addresses)
                early.wait_for(f"waiting for process {second} at '127.0.0.1:")
                early.wait_for(f"waiting for process {third} at '127.0.0.1:")
                cluster = [early, self.start(second, addresses)]
                early.wait_for(f"process {second} at '127.0.0.1:[0-9]+' is there")
                time.sleep(0.5)
                self.assertEqual(early.said().count(f"waiting for process {third}"), 1, "said once per change")
                cluster.append(self.start(third, addresses))
                self.all_end(cluster, OK)
                self.numbers(cluster, 100, 2)
                self.assertIn("all 3 processes are there", early.said())

    def test_restart_before_the_start(self):
        addresses = self.addresses(3)
        first = self.start(0, addresses)
        second = self.start(1, addresses)
        first.wait_for("waiting for process 2")
        second.signal(signal.SIGKILL)
        self.assertEqual(second.wait(), -signal.SIGKILL)
        first.wait_for("waiting for process 1 at '127.0.0.1:[0-9]+': the connection")
        cluster = [first, self.start(1, addresses), self.start(2, addresses)]
        self.all_end(cluster, OK)
        self.numbers(cluster, 100, 2)

    def test_stop_while_waiting(self):
        for number, code in [(signal.SIGTERM, 143), (signal.SIGINT, 130)]:
            with self.subTest(signal=number):
                process = self.start(1, self.addresses(2))
                process.wait_for("waiting for process 0 at '127.0.0.1:[0-9]+': Connection refused")
                process.signal(number)
                self.assertEqual(process.wait(), code)

    def test_address_forms(self):
        a, b = free_ports(2)
        lists = [f" 127.0.0.1:{a} ;\t127.0.0.1:{b} ", f"localhost:{a};localhost:{b}"]
        lists.append("127.0.0.1:{%d..%d}" % tuple(free_ports(2)))
        lists.append(f"127.0.0.{{1..2}}:{a}")
        if socket.has_ipv6:
            try:
                c, d = free_ports(2, socket.AF_INET6, "::1")
                lists.append(f"[::1]:{c};[::1]:{d}")
            except OSError as error:
                print(f"no IPv6 addresses tried: {error}")
        for addresses in lists:
            with self.subTest(addresses=addresses):
                cluster = self.cluster(2, addresses=addresses)
                self.all_end(cluster, OK)
                self.numbers(cluster, 100, 2)

    def test_process_id_of_a_name(self):
        addresses = self.addresses(2)
        cluster = [Process(self, "ticks", "-i", f"simple-{i}", "-a", addresses) for i in range(2)]
        self.all_end(cluster, OK)
        self.numbers(cluster, 100, 2)

    def test_names_that_resolve_later(self):
        hosts, switch = f"{self.dir}/hosts", f"{self.dir}/nsswitch"
        with open(hosts, "w", encoding="utf-8") as file:
            file.write("127.0.0.1 localhost\n")
        with open(switch, "w", encoding="utf-8") as file:
            file.write("hosts: files\n")
        mounts = f"mount --bind {hosts} /etc/hosts && mount --bind {switch} /etc/nsswitch.conf"
        own_files = ["unshare", "-rm", "sh", "-c", f"{mounts} && exec \"$@\"", "sh"]
        try:
            possible = subprocess.run([*own_files, "true"], capture_output=True, check=False).returncode == 0
        except FileNotFoundError:
            possible = False
        if not possible:
            self.skipTest("cannot give a process its own /etc/hosts on this machine")
        a, b = free_ports(2)
        addresses = f"one:{a};two:{b}"
        second = self.start(1, addresses, prefix=own_files)
        second.wait_for(f"waiting for process 0 at 'one:{a}': cannot resolve the name")
        with open(hosts, "a", encoding="utf-8") as file:
            file.write("127.0.0.1 one\n")
        second.wait_for(f"waiting for process 0 at 'one:{a}': Connection refused")
        first = self.start(0, addresses, prefix=own_files)
        self.all_end([first, second], OK)
        self.numbers([first, second], 100, 2)

    def test_secret(self):
        paths = []
        for name, text in [("a", "correct horse\n"), ("b", "battery staple"), ("short", "1234567")]:
            paths.append(f"{self.dir}/{name}.secret")
            with open(paths[-1], "w", encoding="utf-8") as file:
                file.write(text)
        cluster = self.cluster(2, "--secret-file", paths[0])
        self.all_end(cluster, OK)
        self.numbers(cluster, 100, 2)
        cases = [(["--secret-file", paths[0]], ["--secret-file", paths[1]], "has another secret than this process"),
                 (["--secret-file", paths[0]], [], "runs with(out)? a secret and this process with(out)? one")]
        for one, other, sentence in cases:
            with self.subTest(one=one, other=other):
                addresses = self.addresses(2)
                cluster = [self.start(0, addresses, *one), self.start(1, addresses, *other)]
                self.all_end(cluster, MISMATCH)
                for process in cluster:
                    self.assertRegex(process.said(), sentence)
        for path, sentence in [(paths[2], "has 7 bytes"), (f"{self.dir}/none", "cannot open the secret file")]:
            process = self.start(0, self.addresses(2), "--secret-file", path)
            self.assertEqual(process.wait(), USAGE)
            self.assertIn(sentence, process.said())


class Refusing(ClusterTest):
    def test_lists(self):
        cases = [("0", "a", "entry 1, 'a': it has no port"),
                 ("0", "a:1;", "entry 2, '': it is empty"),
                 ("0", "a:1;b:x", "entry 2, 'b:x': the port is not a number"),
                 ("0", "a:0", "the port is not between 1 and 65535"),
                 ("0", "a:1;a:1", "the address is there twice"),
                 ("0", "::1:2101", "write an IPv6 address in brackets"),
                 ("0", "node-{0..}:2101", "a list without end"),
                 ("0", "node-{5..1}:2101", "above its last"),
                 ("2", "a:1;b:1", "process id '2' (-i) is not in the address list"),
                 ("x", "a:1;b:1", "process id 'x' (-i) is not a number"),
                 ("simple-7", "a:1;b:1", "process id 'simple-7' (-i) is not in the address list")]
        for process_id, addresses, sentence in cases:
            with self.subTest(addresses=addresses, i=process_id):
                process = self.start(process_id, addresses)
                self.assertEqual(process.wait(), USAGE, process.said())
                self.assertIn(sentence, process.said())

    def test_port_in_use(self):
        holder = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(holder.close)
        port = holder.getsockname()[1]
        process = self.start(0, f"127.0.0.1:{port};127.0.0.1:{port + 1}")
        self.assertEqual(process.wait(), NETWORK)
        self.assertIn(f"process 0 cannot listen on '127.0.0.1:{port}': Address already in use", process.said())

    def test_same_id_twice_on_one_machine(self):
        addresses = self.addresses(2)
        first = self.start(1, addresses)
        first.wait_for("waiting for process 0")
        again = self.start(1, addresses)
        self.assertEqual(again.wait(), NETWORK)
        self.assertRegex(again.said(), "process 1 cannot listen on .* is there another process with the same -i")
        cluster = [first, self.start(0, addresses)]
        self.all_end(cluster, OK)

    def test_same_id_twice_on_two_machines(self):
        """Two more machines, as far as the network goes: process 1 is started on both."""
        net = Machines(self)
        addresses = f"{net.address(0)}:2101;{net.address(1)}:2101;{net.address(0)}:2102"
        first = self.start(0, addresses, prefix=net.enter(0))
        second = self.start(1, addresses, prefix=net.enter(1))
        first.wait_for("waiting for process 2")
        again = self.start(1, addresses, prefix=net.enter(2))
        self.assertEqual(again.wait(), NETWORK)
        self.assertRegex(again.said(), "process 1 .* is in the cluster already: another process has the same -i 1|"
                                       "another process runs as process 1 .*: give every process its own -i")
        cluster = [first, second, self.start(2, addresses, prefix=net.enter(0))]
        self.all_end(cluster, OK)
        self.numbers(cluster, 100, 2)

    def test_first_id_twice_on_two_machines(self):
        """Nobody would call the second process 0: it finds out by calling its own address."""
        net = Machines(self)
        addresses = f"{net.address(0)}:2101;{net.address(1)}:2101"
        first = self.start(0, addresses, prefix=net.enter(0))
        first.wait_for("waiting for process 1")
        again = self.start(0, addresses, prefix=net.enter(1))
        self.assertEqual(again.wait(), NETWORK)
        self.assertRegex(again.said(), "another process runs as process 0 .*: give every process its own -i")
        cluster = [first, self.start(1, addresses, prefix=net.enter(1))]
        self.all_end(cluster, OK)

    def test_mismatches(self):
        """Both sides say what differs, with both values."""
        cases = [([], ["-w2"], "runs with -w2 and this process with -w1", "runs with -w1 and this process with -w2"),
                 (["-Dn=7"], ["-Dn=8"], "has '8' for parameter 'n' and this process '7'",
                  "has '7' for parameter 'n' and this process '8'"),
                 (["-Dn=7"], [], "has none for parameter 'n' and this process '7'",
                  "has '7' for parameter 'n' and this process none"),
                 (["--max-record", "1M"], [], "for parameter '--max-record' and this process '1048576'",
                  "has '1048576' for parameter '--max-record'")]
        for one, other, first_says, second_says in cases:
            with self.subTest(one=one, other=other):
                addresses = self.addresses(2)
                cluster = [self.start(0, addresses, *one), self.start(1, addresses, *other)]
                self.all_end(cluster, MISMATCH)
                self.assertRegex(cluster[0].said(), f"process 1 at '127.0.0.1:[0-9]+' {re.escape(first_says)}"
                                 if not first_says.startswith("for") else re.escape(first_says))
                self.assertIn(second_says, cluster[1].said())
                for process in cluster:
                    self.assertEqual(len(process.said().splitlines()), 1, "one sentence")

    def test_other_dataflow(self):
        for flow, sentence in [("ticks:others", "runs dataflow 'others' and this process 'ticks'"),
                               ("ticks:longer", "runs dataflow 'longer' and this process 'ticks'")]:
            with self.subTest(flow=flow):
                addresses = self.addresses(2)
                cluster = [self.start(0, addresses), self.start(1, addresses, flow=flow)]
                self.all_end(cluster, MISMATCH)
                self.assertIn(sentence, cluster[0].said())

    def test_other_code(self):
        with open(f"{self.dir}/changed.c", "w", encoding="utf-8") as file:
            file.write(FLOW.replace("*out = *in;", "*out = *in + 0 * wax_now(cx);"))
        os.makedirs(f"{self.dir}/other", exist_ok=True)
        subprocess.run([WAX, "build", "changed.c", "-o", "other/ticks.so"], cwd=self.dir, check=True)
        addresses = self.addresses(2)
        cluster = [self.start(0, addresses), self.start(1, addresses, flow="./other/ticks.so")]
        self.all_end(cluster, MISMATCH)
        for process in cluster:
            self.assertIn("runs other code for dataflow 'ticks'", process.said())

    def test_other_address_list(self):
        a, b, c = free_ports(3)
        first = self.start(0, f"127.0.0.1:{a};127.0.0.1:{b}")
        second = self.start(1, f"127.0.0.1:{a};127.0.0.1:{b};127.0.0.1:{c}")
        self.all_end([first, second], MISMATCH)
        for process in (first, second):
            self.assertIn(f"127.0.0.1:{a};127.0.0.1:{b}", process.said())
            self.assertIn(f"127.0.0.1:{a};127.0.0.1:{b};127.0.0.1:{c}", process.said())
            self.assertIn("give all processes the same -a", process.said())

    def test_third_process_is_told(self):
        """A process that is right must not wait for ever for one that has left over a mismatch with another."""
        addresses = self.addresses(3)
        right = [self.start(0, addresses), self.start(2, addresses)]
        right[0].wait_for("waiting for process 1")
        wrong = self.start(1, addresses, "-w2")
        self.all_end([*right, wrong], MISMATCH)

    def test_wrong_one_comes_to_a_running_cluster(self):
        addresses = self.addresses(2)
        cluster = self.cluster(2, "-Dn=0", "-Devery=10", addresses=addresses)
        cluster[0].wait_lines(5)
        for arguments in [["-w2"], []]:
            process = Process(self, "ticks", "-i1", "-a", addresses, "-Dn=0", "-Devery=10", *arguments)
            self.assertEqual(process.wait(), NETWORK)  # its port is taken; the cluster goes on
        before = len(cluster[0].lines())
        cluster[0].wait_lines(before + 5)
        cluster[0].signal(signal.SIGTERM)
        self.assertEqual([process.wait() for process in cluster], [143, PEER])

    def test_strangers_do_no_harm(self):
        addresses = self.addresses(2)
        first = self.start(0, addresses)
        first.wait_for("waiting for process 1")
        port = int(addresses.split(";")[0].split(":")[1])
        strangers = []
        for text in [b"", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"WAXctrl\n", b"WAXctrl\n" + b"\xff" * 500,
                     b"WAXdata\n" + b"\0" * 500, b"WAXdata\n\1", os.urandom(4000)]:
            stranger = socket.create_connection(("127.0.0.1", port))
            stranger.sendall(text)
            strangers.append(stranger)
            self.addCleanup(stranger.close)
        for _ in range(400):
            socket.create_connection(("127.0.0.1", port)).close()
        second = self.start(1, addresses)
        self.all_end([first, second], OK)
        self.numbers([first, second], 100, 2)


class Stopping(ClusterTest):
    def running(self, n, *arguments, workers=2):
        cluster = self.cluster(n, f"-w{workers}", "-Dn=0", "-Devery=10", *arguments)
        for process in cluster:
            process.wait_lines(3)
        return cluster

    def test_signals(self):
        for number, code, which in [(signal.SIGTERM, 143, 0), (signal.SIGINT, 130, 2)]:
            with self.subTest(signal=number, process=which):
                cluster = self.running(3)
                cluster[which].signal(number)
                for i, process in enumerate(cluster):
                    self.assertEqual(process.wait(), code if i == which else PEER, process.said())
                    sentence = f"process {which} at '127.0.0.1:[0-9]+' was stopped by {number.name}"
                    self.assertRegex(process.said(), f"stopping on {number.name}" if i == which else sentence)
                    self.assertEqual(len(process.said().splitlines()), 1, process.said())
                    for line in process.lines():
                        self.assertRegex(line, "^[0-9]+$")

    def test_nothing_taken_is_lost(self):
        """What the sources gave before the stop has been written by the sinks: no number is left out."""
        cluster = self.running(2, workers=1)
        cluster[1].signal(signal.SIGTERM)
        self.assertEqual([process.wait() for process in cluster], [PEER, 143])
        numbers = sorted(int(line) for process in cluster for line in process.lines())
        for part in (numbers[0::2], numbers[1::2]):
            self.assertEqual(part, list(range(len(part))))

    def test_one_process(self):
        for number, code in [(signal.SIGTERM, 143), (signal.SIGINT, 130)]:
            process = Process(self, "ticks", "-w2", "-Dn=0", "-Devery=10")
            process.wait_lines(3)
            process.signal(number)
            self.assertEqual(process.wait(), code)
            self.assertIn(f"stopping on {number.name}", process.said())

    def test_all_signalled(self):
        """As by Ctrl-C in a terminal: to the whole process group."""
        addresses = self.addresses(2)
        first = self.start(0, addresses, "-Dn=0", "-Devery=10", group=0)
        cluster = [first, self.start(1, addresses, "-Dn=0", "-Devery=10", group=first.child.pid)]
        for process in cluster:
            process.wait_lines(3)
        os.killpg(first.child.pid, signal.SIGINT)
        self.all_end(cluster, 130)

    def test_second_signal(self):
        cluster = self.cluster(2, "-Dn=0", "-Devery=10", "-Dwhat=block", "-Dat=3", "-Dseconds=40", "-Dparts=1")
        blocked = None
        while blocked is None:
            time.sleep(0.05)
            before = [len(process.lines()) for process in cluster]
            time.sleep(0.3)
            blocked = next((p for p, n in zip(cluster, before) if len(p.lines()) == n), None)
        other = cluster[1 - cluster.index(blocked)]
        began = time.monotonic()
        blocked.signal(signal.SIGTERM)
        blocked.wait_for("stopping on SIGTERM")
        blocked.signal(signal.SIGTERM)
        self.assertEqual(blocked.wait(), 143)
        self.assertEqual(other.wait(), PEER, other.said())
        self.assertLess(time.monotonic() - began, 30)
        self.assertRegex(other.said(), "SIGTERM")

    def test_killed(self):
        for workers, which in [(1, 0), (2, 1)]:
            with self.subTest(which=which):
                cluster = self.running(3, workers=workers)
                cluster[which].signal(signal.SIGKILL)
                for i, process in enumerate(cluster):
                    self.assertEqual(process.wait(), -signal.SIGKILL if i == which else PEER, process.said())
                    if i != which:
                        self.assertRegex(process.said(), f"process {which} at '127.0.0.1:[0-9]+' was lost")

    def test_stopped_and_continued(self):
        cluster = self.running(2, "--peer-timeout=1")
        cluster[1].signal(signal.SIGSTOP)
        self.assertEqual(cluster[0].wait(), PEER)
        self.assertRegex(cluster[0].said(), "process 1 at '127.0.0.1:[0-9]+' was lost: nothing was heard from it for")
        time.sleep(0.5)
        cluster[1].signal(signal.SIGCONT)
        self.assertEqual(cluster[1].wait(), PEER)
        self.assertRegex(cluster[1].said(), "this process was stopped for .* seconds, longer than --peer-timeout")

    def test_stopped_without_a_time_out(self):
        cluster = self.running(2, "--peer-timeout=0")
        cluster[1].signal(signal.SIGSTOP)
        time.sleep(2)
        self.assertIsNone(cluster[0].child.poll())
        cluster[1].signal(signal.SIGCONT)
        cluster[1].wait_lines(len(cluster[1].lines()) + 5)
        cluster[1].signal(signal.SIGTERM)
        self.assertEqual([process.wait() for process in cluster], [PEER, 143])

    def test_blocked_body(self):
        """Its process is not taken for dead, however short the time-out."""
        cluster = self.cluster(2, "--peer-timeout=1", "-Dwhat=block", "-Dseconds=4", "-Dn=100", "-Dparts=1")
        self.all_end(cluster, OK)
        self.numbers(cluster, 100, 1)

    def test_blocked_body_is_reported(self):
        process = Process(self, "ticks", "-Dwhat=block", "-Dseconds=18", "-Dparts=1")
        self.assertEqual(process.wait(), OK)
        self.assertRegex(process.said(), "worker 0 has been blocked in step 'work' for 1[0-9] seconds")
        self.assertEqual(len(process.said().splitlines()), 1, process.said())

    def test_failing_body(self):
        cluster = self.cluster(3, "-w2", "-Dwhat=fail", "-Dn=0", "-Devery=5")
        self.all_end(cluster, FAILED)
        for process in cluster:
            self.assertRegex(process.said(), "step 'work' of dataflow 'ticks' failed on worker [0-9] in epoch 1")
            self.assertRegex(process.said(), "number 50 is not liked")

    def test_failing_body_in_one_process(self):
        process = Process(self, "ticks", "-w2", "-Dwhat=fail")
        self.assertEqual(process.wait(), FAILED)
        self.assertEqual(process.said().count("number 50 is not liked"), 1)

    def test_crashing_body(self):
        names = ["ASAN_OPTIONS", "TSAN_OPTIONS"]  # a sanitizer would report it in its own way
        sanitizers = {name: os.environ.get(name, "") + ":handle_segv=0" for name in names}
        cluster = self.cluster(2, "-Dwhat=crash", "-Dparts=1", "-Dn=0", "-Devery=5", **sanitizers)
        codes = [process.wait() for process in cluster]
        self.assertEqual(sorted(codes), [-signal.SIGSEGV, PEER])
        crashed = cluster[codes.index(-signal.SIGSEGV)]
        self.assertRegex(crashed.said(), "crashed with SIGSEGV in step 'work' of dataflow 'ticks'")

    def test_epochs(self):
        """Epochs close everywhere together, also where nothing flows."""
        cluster = self.cluster(3, "-s", "50ms", "-Dn=100", "-Devery=10", "-Dparts=1")
        self.all_end(cluster, OK)
        self.numbers(cluster, 100, 1)


if __name__ == "__main__":
    unittest.main()
