"""What `seesay doctor` looks at beside the installation: this host's memory, files, keys, ports and GPU, and the systems that run."""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil

from seesay import keys, topics
from seesay.bus import Bus
from seesay.errors import KeyFileError, SeeSayError
from seesay.messages import GraphReply, LinkStatus
from seesay.nodes import discovery, sessions
from seesay.nodes.commands.check import Check
from seesay.nodes.graph import ask_graph

FRAME_BYTES = 1920 * 1080 * 3
SKEW_S = 1.0
LISTEN_S = 1.5
GATEWAY = "gateway"   # the one node that may listen off loopback, with keys
LOOPBACK = ("127.", "::1", "::ffff:127.")


def host_checks() -> list[Check]:
    """Checks of this host that hold whether a system runs or not."""
    return [_shared_memory(), _descriptors(), _root(), *_keys(), _gpu(), *_leftovers()]


def session_checks(name: str) -> list[Check]:
    """Checks of one running session: whether its nodes answer, agree on their topics, keep their ports to themselves and share the time."""
    directory = sessions.directory(name)
    with Bus(directory, discovery.own_name()) as bus:
        serving = sorted(node for service, node in discovery.servers(directory).items() if service == f"{node}/graph")
        replies = ask_graph(bus, serving)
        links = bus.subscriber(topics.LINK_STATUS)
        linked = topics.LINK_STATUS.name in discovery.publishers(directory)
        first = links.take(LISTEN_S) if linked else None
        statuses = [received.message for received in ([first] if first else []) + links.take_all()]
    graph = {node: reply for node, reply in replies.items() if reply is not None}
    return [
        _answers(name, replies), _agreement(name, graph), _losses(name, graph), _ports(name, graph),
        *(_clock(name, status) for status in {one.peer: one for one in statuses}.values()),
    ]  # fmt: skip


def _shared_memory() -> Check:
    if not hasattr(os, "memfd_create"):
        return Check("shared memory", True, f"{sys.platform} has no memfd: pictures travel through sockets")
    try:
        descriptor = os.memfd_create("seesay-doctor", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        with os.fdopen(descriptor, "r+b") as file:
            os.posix_fallocate(file.fileno(), 0, 4 * FRAME_BYTES)
    except OSError as error:
        return Check("shared memory", False, f"no sealed memory of 25 MB ({error.strerror})", "raise the memory limit of the container")
    free = psutil.virtual_memory().available / 1e9
    found = f"memfd with seals works, {free:.1f} GB of memory free"
    return Check("shared memory", free > 0.5, found, "close other programs, or use smaller models")


def _descriptors() -> Check:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return Check("open files", soft >= 512, f"at most {soft} a process", "ulimit -n 4096")


def _root() -> Check:
    try:
        path = sessions.root()
    except SeeSayError as error:
        return Check("ipc directory", False, str(error), "remove that directory, or give it to yourself with mode 0700")
    free = shutil.disk_usage(path).free / 1e6
    return Check("ipc directory", free > 10, f"{path}, mode 0700, {free:.0f} MB free", f"make room in {path}: logs lie there")


def _keys() -> Iterator[Check]:
    where = keys.folder()
    secrets = sorted(where.glob("*.secret")) if where.is_dir() else []
    if not secrets:
        yield Check("keys", True, "none; seesay keys new NAME makes them, other hosts need them")
        return
    for path in secrets:
        try:
            keys.load_pair(path)
            yield Check(f"key {path.stem}", True, f"{path}, mode 0600")
        except KeyFileError as error:
            yield Check(f"key {path.stem}", False, str(error), f"move {path} away and run seesay keys new {path.stem}")
    try:
        known, wrong = keys.allowed(where / "allowed")
    except KeyFileError as error:
        yield Check("allowed keys", False, str(error), f"chmod 700 {where / 'allowed'}")
        return
    found = "; ".join(wrong) or ", ".join(known.values()) or "none"
    yield Check("allowed keys", not wrong, found, "copy these files from their hosts again")


def _gpu() -> Check:
    names = _gpu_names()
    try:
        torch = version("torch")
    except PackageNotFoundError:
        torch = ""
    if not names:
        return Check("GPU", True, "none found: networks run on the CPU")
    if torch.endswith("+cpu"):
        return Check("GPU", False, f"{', '.join(names)}, but torch {torch} cannot use it", "install a CUDA build of torch")
    return Check("GPU", True, ", ".join(names))


def _gpu_names() -> list[str]:
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return []
    with contextlib.suppress(OSError, subprocess.TimeoutExpired):
        command = [tool, "--query-gpu=name", "--format=csv,noheader"]
        answer = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
        if answer.returncode == 0:
            return [line.strip() for line in answer.stdout.splitlines() if line.strip()]
    return []


def _leftovers() -> Iterator[Check]:
    try:
        entries = [entry for entry in sorted(sessions.root().iterdir()) if entry.is_dir()]
    except SeeSayError:
        return
    dead = [entry for entry in entries if not sessions.is_live(entry) and any("~" in file.name for file in entry.iterdir())]
    found = f"sockets of killed nodes in {_join(dead)}" if dead else ", ".join(sessions.live()) or "none runs"
    yield Check("sessions", not dead, found, f"rm -r {_join(dead)}")
    held = [entry for entry in entries if (entry / "emergency_stop").exists()]
    found = f"engaged in {_join(held)}" if held else "not engaged"
    yield Check("emergency stop", not held, found, "seesay stop --release, when it is safe")


def _answers(session: str, replies: dict[str, GraphReply | None]) -> Check:
    silent = [node for node, reply in replies.items() if reply is None]
    found = f"no answer from {', '.join(silent)}" if silent else f"{len(replies)} nodes answer"
    return Check(f"{session}: nodes", not silent, found, f"see the logs in {sessions.directory(session) / 'logs'}")


def _agreement(session: str, graph: dict[str, GraphReply]) -> Check:
    differences = sorted({f"{node}: {line}" for node, reply in graph.items() for line in reply.mismatches})
    cure = "run the same version of SeeSay on both ends, or remap one of them"
    return Check(f"{session}: quality of service", not differences, "; ".join(differences) or "all ends agree", cure)


def _losses(session: str, graph: dict[str, GraphReply]) -> Check:
    bad = [
        f"{node} lost {end.lost} of {end.lost + end.received} on {end.topic}"
        for node, reply in graph.items() for end in reply.subscribers if end.lost > 20 and end.lost > 0.05 * (end.lost + end.received)
    ]  # fmt: skip
    found = "; ".join(bad) or "no consumer loses more than 5 %"
    return Check(f"{session}: losses", not bad, found, "see seesay top; lower the rate or the load")


def _ports(session: str, graph: dict[str, GraphReply]) -> Check:
    owners = {reply.pid: node for node, reply in graph.items()}
    gateways = {reply.pid for reply in graph.values() if reply.run == GATEWAY}
    try:
        listening = [one for one in psutil.net_connections("tcp") if one.pid in owners and one.status == psutil.CONN_LISTEN]
    except psutil.Error:
        return Check(f"{session}: ports", True, "not to be seen by this user")
    names = sorted({f"{owners[one.pid]} at {one.laddr.ip}:{one.laddr.port}" for one in listening})
    wild = sorted({f"{owners[one.pid]} at {one.laddr.ip}:{one.laddr.port}" for one in listening
                   if one.pid not in gateways and not one.laddr.ip.startswith(LOOPBACK)})  # fmt: skip
    found = f"listening off loopback: {', '.join(wild)}" if wild else ", ".join(names) or "no node listens on the network"
    return Check(f"{session}: ports", not wild, found, "only gateways should: they ask for keys")


def _clock(session: str, status: LinkStatus) -> Check:
    peer, offset_ms, error_ms = status.peer, status.offset_ns / 1e6, status.offset_error_ns / 1e6
    good = status.state == "up" and error_ms < 1e3 * SKEW_S
    found = f"up, {offset_ms:+.1f} ms from ours, known to {error_ms:.1f} ms" if status.state == "up" else status.state
    return Check(f"{session}: clock of {peer}", good, found, f"see that {peer} runs and the network is fast: seesay topic echo link_status")


def _join(paths: list[Path]) -> str:
    return " ".join(str(path) for path in paths)
