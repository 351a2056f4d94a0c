#!/usr/bin/env python3
"""Relays side by side, in one run on one machine: Wayleave, coturn, the crate turn-server, and a bare forwarder.

    bench/turn.py                     every figure, three runs, a table in Markdown
    bench/turn.py --runs 5 --only out
    bench/turn.py --checks            reload under load, metrics, churn (5 minutes)

Every figure is taken from a server that has just started, by `wayleave bench`, and is the CPU time of the server's own
threads. The servers take turns within a run. All of them forward with one thread, as the bare forwarder does, but where a
figure says that they run as they come. What is missing is built or installed: Wayleave by cargo, the forwarder by
cc, turn-server by `cargo install` into target/bench, coturn by apt (as root).
"""

import argparse
import contextlib
import json
import os
import pathlib
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent
BUILT = ROOT / "target" / "bench"
REALM, USER, PASSWORD = "bench.local", "user", "pass"
# A STUN Binding request.
BINDING = bytes.fromhex("000100002112a442") + b"bench-ready?"


# --- the programs ------------------------------------------------------------------------------------------------------


def run(*command, **options):
    return subprocess.run([str(part) for part in command], check=True, **options)


def build_wayleave():
    run("cargo", "build", "--release", "--package", "wayleave", cwd=ROOT)
    return pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release" / "wayleave"


def build_forward():
    BUILT.mkdir(parents=True, exist_ok=True)
    program = BUILT / "forward"
    run("cc", "-O2", "-o", program, HERE / "forward.c")
    return program


def install_turn_server():
    """Version 4.1 without its gRPC interface, its TLS and its metrics, which no figure needs."""
    program = BUILT / "turn-server" / "bin" / "turn-server"
    if not program.exists():
        run("cargo", "install", "turn-server", "--version", "~4.1", "--no-default-features", "--features", "udp,tcp",
            "--root", BUILT / "turn-server", "--target-dir", BUILT / "turn-server" / "target")
    return program


def install_coturn():
    if not shutil.which("turnserver"):
        run("apt-get", "install", "--yes", "--no-install-recommends", "coturn")
    return pathlib.Path(shutil.which("turnserver"))


# --- the servers -------------------------------------------------------------------------------------------------------


class Failed(Exception):
    """A server or a load did not do its work."""


def free_port():
    """A port that is free for UDP and TCP."""
    while True:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp, socket.socket() as tcp:
            udp.bind(("127.0.0.1", 0))
            with contextlib.suppress(OSError):
                tcp.bind(udp.getsockname())
                return udp.getsockname()[1]


def peer_port():
    """A free port that no socket gets by asking for any."""
    for port in range(20_000, 30_000):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise Failed("every port is taken")


def wait_for_binding(port, process):
    """Waits until STUN is answered on `port`."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.settimeout(0.1)
        probe.connect(("127.0.0.1", port))
        for _ in range(200):
            with contextlib.suppress(OSError):
                probe.send(BINDING)
                if probe.recv(2048):
                    return
            if process.poll() is not None:
                break
            time.sleep(0.05)
    raise Failed(f"{process.args[0]} does not answer")


class Server:
    """One that listens on `self.port`, as the process `self.process`."""

    name = ""
    # What `wayleave bench turn` must be told beside the address.
    arguments = ["--user", USER]

    def __init__(self, program):
        self.program = program

    @contextlib.contextmanager
    def running(self, flows, one_thread=True):
        self.one_thread = one_thread
        with tempfile.TemporaryDirectory() as folder:
            self.folder, self.flows = pathlib.Path(folder), flows
            self.port, self.tls_port, self.peer = free_port(), free_port(), peer_port()
            (self.folder / "password").write_text(PASSWORD + "\n")
            self.prepare()
            self.process = subprocess.Popen([str(part) for part in self.command()], cwd=folder,
                                            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                            stderr=open(self.folder / "log", "w"))
            try:
                self.wait()
                yield self
            finally:
                self.process.kill()
                self.process.wait()

    def prepare(self):
        pass

    def wait(self):
        wait_for_binding(self.port, self.process)

    def certificate(self):
        run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30",
            "-keyout", self.folder / "key.pem", "-out", self.folder / "cert.pem", "-subj", "/CN=localhost",
            stderr=subprocess.DEVNULL)

    def log(self):
        return (self.folder / "log").read_text()[-2000:]


class Coturn(Server):
    name = "coturn"

    def prepare(self):
        self.certificate()

    def command(self):
        return [self.program, "-n", "-L", "127.0.0.1", "-E", "127.0.0.1", "-p", self.port,
                f"--tls-listening-port={self.tls_port}", "--cert=cert.pem", "--pkey=key.pem", "--no-dtls", "--no-cli",
                "--lt-cred-mech", "-u", f"{USER}:{PASSWORD}", "-r", REALM, "--allow-loopback-peers",
                "--no-multicast-peers", "--log-file=/dev/null", "--pidfile=pid", "--userdb=userdb",
                "--min-port=10000", "--max-port=32000", *(["-m", 1] if self.one_thread else [])]


class TurnServer(Server):
    name = "turn-server"

    def prepare(self):
        (self.folder / "config.toml").write_text(f"""
[server]
port-range = "49152..65535"
max-threads = 1
realm = "{REALM}"
[[server.interfaces]]
transport = "udp"
listen = "127.0.0.1:{self.port}"
external = "127.0.0.1:{self.port}"
idle-timeout = 600
mtu = 1500
[log]
level = "error"
stdout = true
[auth.static-credentials]
{USER} = "{PASSWORD}"
""")

    def command(self):
        return [self.program, "--config", "config.toml"]


class Wayleave(Server):
    name = "wayleave"
    settings = {
        "turn.allow_peers": '["127.0.0.0/8"]',
        "turn.quotas.user": "20000",
        "turn.quotas.address": "20000",
        "turn.quotas.total": "20000",
    }

    def prepare(self):
        self.certificate()
        self.sip, self.http = free_port(), free_port()
        run(self.program, "user", "add", f"{USER}@{REALM}", "--data", "data", "--password-stdin", cwd=self.folder,
            input=PASSWORD.encode(), stdout=subprocess.DEVNULL)

    def command(self):
        settings = self.settings | {
            "turn.ports": f"[{self.port}]", "turn.tls_ports": f"[{self.tls_port}]", "tls.certificate": '"cert.pem"',
            "tls.key": '"key.pem"', "http.listen": f'"127.0.0.1:{self.http}"',
            "relay.threads": "1" if self.one_thread else "0",
        }
        sets = [part for key, value in settings.items() for part in ("--set", f"{key}={value}")]
        listen = ["--domain", REALM, "--listen", f"127.0.0.1:{self.sip}", "--data", "data"]
        return [self.program, "--json", "serve", *listen, *sets]


class Bare(Server):
    """The forwarder: no TURN, the same sockets."""

    name = "bare"

    @property
    def arguments(self):
        return ["--bare", "--peer", f"127.0.0.1:{self.peer}"]

    def command(self):
        return [self.program, self.port, self.peer, self.flows]

    def wait(self):
        time.sleep(0.5)


class Unconnected(Bare):
    """The same with sockets that are not connected, as those of a relay cannot be."""

    name = "bare, unconnected"

    def command(self):
        return [*super().command(), "unconnected"]


class Echo(Bare):
    """The same program as a UDP echo."""

    arguments = ["--echo"]

    def command(self):
        return [self.program, "--echo", self.port]

    def wait(self):
        wait_for_binding(self.port, self.process)


# --- the figures -------------------------------------------------------------------------------------------------------


class Figure:
    """One line of the table: what `wayleave bench` is told, where its answer holds the figure, and what the ratio to
    others' figures may be at most."""

    def __init__(self, name, arguments, value, unit="µs", flows=100, what="turn", one_thread=True, **others):
        self.name, self.arguments, self.value, self.unit, self.flows, self.what, self.one_thread = (
            name, arguments, value, unit, flows, what, one_thread)
        # The others by name, with the target where there is one.
        self.others = {other.replace("__", ", ").replace("_", "-"): target for other, target in others.items()}

    def take(self, tool, server):
        target = f"127.0.0.1:{server.tls_port if 'tls' in self.arguments else server.port}"
        command = [tool, "--json", "bench", self.what, target, "--pid", server.process.pid, *self.arguments]
        if self.what == "turn":
            command += ["-a", self.flows, *server.arguments]
        elif isinstance(server, Echo):
            command += server.arguments
        if isinstance(server, (Coturn, TurnServer, Wayleave)) and self.what == "turn":
            command += ["--password-file", server.folder / "password"]
        done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=300)
        events = [json.loads(line) for line in done.stdout.splitlines()]
        if done.returncode or not events:
            raise Failed(f"{self.name}, {server.name}: {done.stderr or done.stdout}\n{server.log()}")
        return events[0]

    def of(self, event):
        value = event
        for key in self.value:
            value = value[key]
        return value


def figures(packets):
    def passing(name, *arguments, **options):
        # As many packets for each of many flows as a call of four seconds has: what a server does once for a flow
        # counts with what it does for a packet.
        count = packets * (5 if options.get("flows", 0) >= 1000 else 1)
        return Figure(name, ["-n", count, *arguments], ("traffic", "cpu_us"), **options)

    both = dict(coturn=0.85, bare=1.15, bare__unconnected=None)
    inwards = ("--direction", "peer-to-client")
    between = ("--direction", "client-to-client")
    train = ("--train", 8, "--size", 1200)
    return [
        passing("out, 172 bytes, 100 flows", **both),
        passing("in, 172 bytes, 100 flows", *inwards, **both),
        passing("out, 172 bytes, 100 flows, as they come", one_thread=False, coturn=None),
        passing("in, 172 bytes, 100 flows, as they come", *inwards, one_thread=False, coturn=None),
        passing("out, 172 bytes, 5,000 flows", flows=5000, **both),
        passing("in, 172 bytes, 5,000 flows", *inwards, flows=5000, **both),
        passing("between clients, 172 bytes, 100 flows", *between, coturn=0.45, turn_server=1.0),
        passing("out, trains of 8 × 1,200 bytes, 1 flow", *train, flows=1, coturn=0.25, bare=None),
        passing("out, trains of 8 × 1,200 bytes, 100 flows", *train, coturn=0.25, bare=None),
        passing("in, trains of 8 × 1,200 bytes, 100 flows", *train, *inwards, coturn=None, bare=None),
        passing("out, Send indications, 172 bytes, 100 flows", "--via", "send", coturn=None),
        passing("in, Data indications, 172 bytes, 100 flows", "--via", "send", *inwards, coturn=None),
        passing("out over TCP, 172 bytes, 100 flows", "--transport", "tcp", coturn=None),
        passing("in over TCP, 172 bytes, 100 flows", "--transport", "tcp", *inwards, coturn=None),
        passing("out over TLS, 172 bytes, 100 flows", "--transport", "tls", coturn=None),
        Figure("allocation, 401 and again", ["-n", 0], ("allocate", "cpu_us"), flows=5000, coturn=0.5,
               turn_server=None),
        Figure("memory of an allocation", ["-n", 0], ("allocate", "rss_bytes"), unit="bytes", flows=5000, coturn=0.25,
               turn_server=None),
        Figure("STUN Binding", ["-n", packets], ("cpu_us_per_operation",), what="stun", coturn=None, turn_server=None,
               echo=1.15),
    ]


def taken(figure, tool, server):
    """One figure of one server that starts for it; another program may have taken a port just before, so that a second
    try may do."""
    for tries_left in (2, 1, 0):
        try:
            with server.running(figure.flows, figure.one_thread):
                return figure.take(tool, server)
        except Failed as failure:
            print(failure, file=sys.stderr)
            if not tries_left:
                raise


def measure(wanted, servers, tool, runs, raw):
    """The values of every figure by server, `runs` of each."""
    values = {}
    for n in range(runs):
        for figure in wanted:
            for name in ["wayleave", *figure.others]:
                if name not in servers:
                    continue
                event = taken(figure, tool, servers[name])
                value = figure.of(event)
                lost = (event.get("traffic") or event).get("lost", 0)
                values.setdefault((figure.name, name), []).append(value)
                raw.write(json.dumps(dict(run=n, figure=figure.name, server=name, value=value, event=event)) + "\n")
                raw.flush()
                print(f"{n + 1}/{runs} {figure.name}: {name} {value} {figure.unit}"
                      + (f", {lost} lost" if lost else ""), file=sys.stderr)
    return values


def shown(value):
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def cell(values, unit):
    middle = statistics.median(values)
    return f"{shown(middle)} {unit} ({shown(min(values))}–{shown(max(values))})"


def table(wanted, values):
    lines = ["| work | Wayleave | others | ratio | target |", "|---|---|---|---|---|"]
    for figure in wanted:
        ours = values.get((figure.name, "wayleave"))
        others = [(name, target) for name, target in figure.others.items() if (figure.name, name) in values]
        for n, (name, target) in enumerate(others or [("", None)]):
            theirs = values.get((figure.name, name))
            ratio = ""
            if ours and theirs and statistics.median(theirs):
                ratio = f"{statistics.median(ours) / statistics.median(theirs):.2f}"
            lines.append("| " + " | ".join([
                figure.name if n == 0 else "",
                cell(ours, figure.unit) if ours and n == 0 else "",
                f"{name}: {cell(theirs, figure.unit)}" if theirs else "",
                ratio,
                f"≤ {target:.2f}" if target else "",
            ]) + " |")
    return "\n".join(lines)


# --- the checks --------------------------------------------------------------------------------------------------------


def bench_turn(tool, server, *arguments):
    """Starts a load on our own server."""
    command = [tool, "--json", "bench", "turn", f"127.0.0.1:{server.port}", "--pid", server.process.pid,
               "--password-file", server.folder / "password", *server.arguments, *arguments]
    return subprocess.Popen([str(part) for part in command], stdout=subprocess.PIPE, text=True)


def events_of(load):
    out, _ = load.communicate()
    return [json.loads(line) for line in out.splitlines()]


def metrics(server):
    """The samples of /metrics, by name and labels."""
    with socket.create_connection(("127.0.0.1", server.http)) as connection:
        connection.sendall(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        text = b"".join(iter(lambda: connection.recv(65536), b"")).decode()
    lines = [line for line in text.splitlines() if line and not line.startswith("#") and " " in line]
    return {name: value for name, _, value in (line.rpartition(" ") for line in lines)}


def check_reload(tool, wayleave):
    """SIGHUP after SIGHUP while packets pass: none is lost."""
    with wayleave.running(100, one_thread=False) as server:
        load = bench_turn(tool, server, "-n", 200_000, "--rate", 40_000)
        hangups = 0
        while load.poll() is None:
            time.sleep(0.2)
            server.process.send_signal(signal.SIGHUP)
            hangups += 1
        traffic = events_of(load)[0]["traffic"]
        drops = {name: value for name, value in metrics(server).items() if "drop" in name and value != "0"}
    return traffic["lost"] == 0, f"{traffic['received']} packets, {hangups} × SIGHUP, {traffic['lost']} lost {drops or ''}"


def check_metrics(tool, wayleave):
    """What /metrics counts is what the load counts."""
    packets, size, wrong = 30_000, 172, []
    with wayleave.running(100, one_thread=False) as server:
        for direction in ("client-to-peer", "peer-to-client", "client-to-client"):
            before = metrics(server)
            load = bench_turn(tool, server, "-n", packets, "-a", 100, "--size", size, "--direction", direction)
            told = events_of(load)[0]
            counted = told["trial"]["received"] + told["traffic"]["received"]
            # Counters of the data plane's threads are told now and then.
            time.sleep(2)
            after = metrics(server)
            label = '{direction="%s"}' % direction.replace("-", "_")
            for name, expected in (("turn_relayed_packets_total" + label, counted),
                                   ("turn_relayed_bytes_total" + label, counted * size),
                                   ("turn_allocated_total", told["allocate"]["done"])):
                name = "wayleave_" + name
                seen = int(after.get(name, 0)) - int(before.get(name, 0))
                if seen != expected:
                    wrong.append(f"{name}: {seen} instead of {expected}")
    return not wrong, "; ".join(wrong) or f"{3 * packets} packets"


def check_churn(tool, wayleave, generations=10):
    """The memory of the tenth generation of clients is that of the third."""
    wayleave.settings = wayleave.settings | {"turn.lifetime": '"30s"'}
    with wayleave.running(100, one_thread=False) as server:
        events = events_of(bench_turn(tool, server, "-a", 1000, "--churn", generations))
    wayleave.settings.pop("turn.lifetime")
    steps = ", ".join(f"{event['loaded'] // 1024}/{event['idle'] // 1024}" for event in events[:-1])
    growth = [events[-1]["loaded_growth"], events[-1]["idle_growth"]]
    return max(growth) <= 1.05, f"growth {growth}; KiB with clients and after them: {steps}"


def checks(tool, wayleave):
    failed = False
    for check in (check_reload, check_metrics, check_churn):
        good, words = check(tool, wayleave)
        print(f"{'ok' if good else 'FAILED'}: {check.__doc__} {words}")
        failed |= not good
    return 1 if failed else 0


# --- the command -------------------------------------------------------------------------------------------------------


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--packets", type=int, default=200_000)
    parser.add_argument("--only", default="", help="figures whose names hold this text")
    parser.add_argument("--without", action="append", default=[], help="a server that is left out")
    parser.add_argument("--wayleave", type=pathlib.Path, help="the program, instead of building it")
    parser.add_argument("--turn-server", type=pathlib.Path, help="the program, instead of installing it")
    parser.add_argument("--tool", type=pathlib.Path, help="the load tool, instead of the same program")
    parser.add_argument("--raw", type=pathlib.Path, default=BUILT / "turn.jsonl", help="every figure as it was taken")
    parser.add_argument("--checks", action="store_true", help="reload, metrics and churn instead of figures")
    args = parser.parse_args()
    # Other work on the machine disturbs less; only root may ask for it.
    with contextlib.suppress(OSError):
        os.nice(-10)
    BUILT.mkdir(parents=True, exist_ok=True)
    programs = {
        "wayleave": (Wayleave, lambda: args.wayleave or build_wayleave()),
        "coturn": (Coturn, install_coturn),
        "turn-server": (TurnServer, lambda: args.turn_server or install_turn_server()),
        "bare": (Bare, build_forward),
        "bare, unconnected": (Unconnected, build_forward),
        "echo": (Echo, build_forward),
    }
    servers = {name: kind(program().resolve()) for name, (kind, program) in programs.items()
               if name not in args.without and (not args.checks or name == "wayleave")}
    tool = (args.tool or servers["wayleave"].program).resolve()
    if args.checks:
        return checks(tool, servers["wayleave"])
    wanted = [figure for figure in figures(args.packets) if args.only in figure.name]
    with open(args.raw, "w") as raw:
        print(table(wanted, measure(wanted, servers, tool, args.runs, raw)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
