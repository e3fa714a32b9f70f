"""A node's life-cycle as a service: ask for its state, deactivate, activate, configure again, shut down (ROS 2's managed nodes).

    starting (configuring) ──node.ready()──▶ ready (active) ◀──activate── deactivate──▶ inactive
    configure: back to starting, from either; shutdown: stopped, from anywhere
"""

from __future__ import annotations

import os
import signal

from seesay.bus import AnyBus
from seesay.errors import BusError, ConfigError, ServiceError
from seesay.graph import serve_graph
from seesay.messages import Header, LifecycleRequest, NodeStatus, ParameterReply, ParameterRequest, Transition
from seesay.nodes.node import Node
from seesay.services import LIFECYCLE, PARAMETERS

ALLOWED = {"activate": ("inactive", "ready"), "deactivate": ("ready", "inactive"), "configure": ("ready", "inactive")}


class Lifecycle:
    """Serves NODE/lifecycle, NODE/parameters and NODE/graph of the node of this process, which runs `run`, on `bus`."""

    def __init__(self, node: Node, bus: AnyBus, run: str = "") -> None:
        self.again = False
        self._node = node
        bus.service(LIFECYCLE.of(node=node.name), self._change)
        bus.service(PARAMETERS.of(node=node.name), self._parameters)
        serve_graph(bus, run)

    def _change(self, request: LifecycleRequest) -> NodeStatus:
        node, transition = self._node, request.transition
        state = node.status().state
        if transition in ALLOWED and (state not in ALLOWED[transition] or self.again):
            raise BusError(f"{transition}: expected the node to be {' or '.join(ALLOWED[transition])}, got {state}; try again later")
        if transition == "activate" and state == "inactive":
            node.active.set()
            node.report("ready", node.status().message)
        elif transition == "deactivate" and state == "ready":
            node.active.clear()
            node.report("inactive", node.status().message)
        elif transition == "configure":
            self.again = True
            node.report("starting", "configured again")
            node.end()
        elif transition == "shutdown":
            os.kill(os.getpid(), signal.SIGTERM)
        return node.status()

    def _parameters(self, request: ParameterRequest) -> ParameterReply:
        if self._node.parameters is None:
            raise BusError("expected a node that has its parameters, got one that still starts; try again")
        return self._node.parameters.answer(request)


def change_state(bus: AnyBus, node: str, transition: Transition = "", timeout_s: float = 5.0) -> NodeStatus:
    """Ask a running node for a transition, or with "" for its state only; return its status.

    Raises ConfigError with the node's sentence if the node is in no state for it, ServiceTimeout if it does not answer.
    """
    try:
        return bus.client(LIFECYCLE.of(node=node)).call(LifecycleRequest(Header(0), transition), timeout_s)
    except ServiceError as error:
        if type(error) is not ServiceError:
            raise
        raise ConfigError(f"node {node}: {str(error).partition(': ')[2]}") from error
