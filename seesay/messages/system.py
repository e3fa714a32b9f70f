"""How nodes, launches and links are doing, simulated time, and what a node is asked about itself."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from seesay.messages.pictures import Header

Transition = Literal["", "configure", "activate", "deactivate", "shutdown"]


@dataclass(frozen=True, slots=True)
class NodeStatus:
    """Heartbeat of a node: life-cycle `state` and a sentence."""

    header: Header
    node: str
    state: Literal["starting", "ready", "inactive", "failed", "stopped"]
    pid: int
    message: str = ""


@dataclass(frozen=True, slots=True)
class ProcessStatus:
    """How a supervised process stands: a node with its entry `run`, `pid` (0: none now) and how often it was started again.

    message: the node's own, or "silent for N s" while its heartbeats are missing (it hangs, or was stopped): then `state` is its last word.
    restarting: it died and waits, or starts once more. failed and stopped are final. exit_status: of its last end, negative for a signal,
    None while it has not ended yet.
    """

    node: str
    run: str
    state: Literal["starting", "ready", "inactive", "restarting", "failed", "stopped"]
    pid: int
    restarts: int
    required: bool
    exit_status: int | None = None
    message: str = ""


@dataclass(frozen=True, slots=True)
class LaunchStatus:
    """The processes of one launch, in the order of its file; sent on every change and once a second."""

    header: Header
    launch: str
    processes: tuple[ProcessStatus, ...]


@dataclass(frozen=True, slots=True)
class LinkStatus:
    """Health of a gateway's connection with another host.

    offset_ns: the peer's CLOCK_MONOTONIC minus ours, wrong by `offset_error_ns` at most; round_trip_ns: the shortest of late.
    sent, received: messages since the connection is up; dropped: replaced by newer ones on the way, at this end; invalid: not messages.
    """

    header: Header
    peer: str
    state: Literal["connecting", "up", "refused"]
    offset_ns: int = 0
    offset_error_ns: int = 0
    round_trip_ns: int = 0
    sent: int = 0
    received: int = 0
    dropped: int = 0
    invalid: int = 0
    message: str = ""


@dataclass(frozen=True, slots=True)
class ClockTick:
    """The time of a simulated clock: `header.stamp_ns` of `header.clock`. Nodes on simulated time follow it (rosgraph_msgs/Clock)."""

    header: Header


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a node. `value` is JSON text, `type` its Python type, `minimum` and `maximum` its range if it has one.

    live: a change takes effect at once; otherwise `pending` is the value, as JSON text, that the node takes when it is next configured
    (empty: none waits).
    """

    name: str
    type: str
    value: str
    minimum: float | None = None
    maximum: float | None = None
    live: bool = False
    pending: str = ""


@dataclass(frozen=True, slots=True)
class ParameterRequest:
    """Asks a node for its parameters, after setting those in `values` (name to JSON text): all of them or, if one is refused, none."""

    header: Header
    values: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ParameterReply:
    """All parameters of a node, in the order of its Config."""

    header: Header
    parameters: tuple[Parameter, ...]


@dataclass(frozen=True, slots=True)
class LifecycleRequest:
    """Asks a node for its state (answered by its NodeStatus), after a transition unless that is empty."""

    header: Header
    transition: Transition = ""


@dataclass(frozen=True, slots=True)
class Trigger:
    """Asks a node to do its one thing now (std_srvs/Trigger)."""

    header: Header


@dataclass(frozen=True, slots=True)
class TriggerReply:
    """Whether it was done, and a sentence: what came of it, or why not."""

    header: Header
    success: bool
    message: str = ""


@dataclass(frozen=True, slots=True)
class PublisherInfo:
    """One publisher of a node: its quality of service, messages `sent` and `subscribers` there are. deadline_s: 0 = none."""

    topic: str
    type: str
    depth: int
    latched: bool
    reliable: bool
    deadline_s: float
    lease_s: float
    rate_hz: float
    sent: int
    subscribers: int


@dataclass(frozen=True, slots=True)
class SubscriberInfo:
    """One subscription of a node: its quality of service and its health (`seesay.bus.Stats`).

    publishers: whom it heard, and whether they live. age_p50_ms, age_p99_ms: from sending to the consumer's taking, of the last 256 taken.
    stamp_age_p50_ms, stamp_age_p99_ms: from the acquisition of what the message tells of, None while stamps are of a simulated clock.
    """

    topic: str
    type: str
    depth: int
    latched: bool
    reliable: bool
    deadline_s: float
    lease_s: float
    received: int
    dropped: int
    lost: int
    torn: int
    invalid: int
    restarts: int
    late: int
    rate_hz: float
    expected_hz: float
    age_s: float | None
    age_p50_ms: float | None
    age_p99_ms: float | None
    stamp_age_p50_ms: float | None
    stamp_age_p99_ms: float | None
    publishers: dict[str, bool]


@dataclass(frozen=True, slots=True)
class GraphRequest:
    """Asks a node what it publishes and subscribes to."""

    header: Header


@dataclass(frozen=True, slots=True)
class GraphReply:
    """The ends of topics of a node's process `pid`, and where another end takes a topic for something else.

    run: what the process runs, a file of nodes/ or a module; empty for a supervisor. clients: services that it has called or may call.
    """

    header: Header
    node: str
    pid: int
    publishers: tuple[PublisherInfo, ...]
    subscribers: tuple[SubscriberInfo, ...]
    mismatches: tuple[str, ...] = ()
    run: str = ""
    clients: tuple[str, ...] = ()
