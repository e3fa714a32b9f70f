"""One table says of every service its request and response, and what a server may count on; actions are long services.

A name in braces is filled in by `of`: `PARAMETERS.of(node="detector")` is `detector/parameters`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from seesay import messages as m
from seesay.errors import BusError
from seesay.topics import fill_name, fits_name, tails

Q = TypeVar("Q")
R = TypeVar("R")
G = TypeVar("G")
F = TypeVar("F")


@dataclass(frozen=True, slots=True)
class Service(Generic[Q, R]):
    """A question that one node answers: a message of type `request` in, one of type `response` out.

    idempotent: asking twice does no harm, so that a client may ask again when an answer does not come; other requests are run at most
    once. depth: requests that the server takes at a time, the running one included; more are answered "busy".
    """

    name: str
    request: type[Q]
    response: type[R]
    idempotent: bool = False
    depth: int = 16

    def of(self, **names: str) -> Service[Q, R]:
        """Return the service with the names in braces filled in. Raises BusError for a missing or unusable name."""
        return replace(self, name=fill_name("service", self.name, names))


@dataclass(frozen=True, slots=True)
class Action(Generic[G, F, R]):
    """Something that one node does for a while: a `goal` in, any number of `feedback` messages and one `result` out. One goal at a time."""

    name: str
    goal: type[G]
    feedback: type[F]
    result: type[R]

    def of(self, **names: str) -> Action[G, F, R]:
        """Return the action with the names in braces filled in. Raises BusError for a missing or unusable name."""
        return replace(self, name=fill_name("service", self.name, names))

    @property
    def service(self) -> Service[G, R]:
        """The goal and the result, as a service."""
        return Service(self.name, self.goal, self.result, depth=1)


PARAMETERS = Service("{node}/parameters", m.ParameterRequest, m.ParameterReply, idempotent=True)
LIFECYCLE = Service("{node}/lifecycle", m.LifecycleRequest, m.NodeStatus)
GRAPH = Service("{node}/graph", m.GraphRequest, m.GraphReply, idempotent=True)
SNAPSHOT = Service("{node}/snapshot", m.Trigger, m.TriggerReply)
PROMPTS = Service("prompts", m.PromptSet, m.PromptChange)
ENCODE = Service("{node}/encode", m.EncodeRequest, m.PromptVectors, idempotent=True)
ASK = Service("ask", m.AskRequest, m.Sightings, idempotent=True)
OBJECTS = Service("objects", m.ObjectsRequest, m.Objects, idempotent=True)
AFFORDANCES = Service("affordances", m.AffordancesRequest, m.Affordances, idempotent=True)
SCORE = Service("score", m.ScoreRequest, m.Scores, idempotent=True)
PLAN = Service("plan", m.PlanRequest, m.Plan, idempotent=True)
QUESTION = Service("question", m.QuestionRequest, m.OpenQuestion, idempotent=True)
ANSWER = Service("answer", m.Answer, m.Question)
CANCEL = Service("cancel", m.CancelRequest, m.TaskResult)

SERVICES: dict[str, Service[Any, Any]] = {
    service.name: service
    for service in (
        PARAMETERS, LIFECYCLE, GRAPH, SNAPSHOT, PROMPTS, ENCODE, ASK, OBJECTS, AFFORDANCES, SCORE, PLAN, QUESTION, ANSWER,
        CANCEL,
    )
}


def find(name: str) -> Service[Any, Any]:
    """Return the service called `name`, for example "detector/parameters". Raises BusError if the table has none."""
    for tail in tails(name):
        for service in SERVICES.values():
            if fits_name(service.name, tail):
                return replace(service, name=name)
    raise BusError(f"service: expected one of {', '.join(SERVICES)}, got {name!r}")
