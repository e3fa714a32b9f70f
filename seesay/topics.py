"""One table says of every topic: its type, rate, what is kept, whether it is latched and whether it is recorded.

A name in braces is filled in by `Topic.of`: `IMAGE.of(camera="front")` is `camera/front/image`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Generic, Literal, TypeVar

from seesay import messages as m
from seesay.errors import BusError

M = TypeVar("M")
Keep = Literal["latest", "all"]

_PART = re.compile(r"[A-Za-z0-9_-]+")


def check_name(kind: str, name: str) -> None:
    """Raise BusError unless `name` is made of letters, digits, _ and -, with / between the parts of a topic or service."""
    parts = [name] if kind == "node" else name.split("/")
    limit = 96 if kind == "service" else 64   # a service is often called after its node
    if len(name) > limit or not all(_PART.fullmatch(part) for part in parts):
        raise BusError(f"{kind} name: expected at most {limit} letters, digits, _ or -, got {name!r}")


def fill_name(kind: str, template: str, names: Mapping[str, str]) -> str:
    """Return `template` with the names in braces filled in. Raises BusError for a missing or unusable name."""
    try:
        name = template.format(**names)
    except KeyError as error:
        raise BusError(f"{kind} {template}: expected a value for {error}, got {sorted(names)}") from None
    check_name(kind, name)
    return name


def fits_name(template: str, name: str) -> bool:
    """Tell whether `name` is `template` or one of its instances."""
    pattern = "".join("[^/]+" if part.startswith("{") else re.escape(part) for part in re.split(r"(\{\w+\})", template))
    return re.fullmatch(pattern, name) is not None


def tails(name: str) -> list[str]:
    """Return `name`, and what is left of it without one, two ... namespaces: a/b/c, b/c, c."""
    parts = name.split("/")
    return ["/".join(parts[i:]) for i in range(len(parts))]


@dataclass(frozen=True, slots=True)
class Topic(Generic[M]):
    """A named stream of messages of one type.

    rate_hz: the rate to expect at least, 0 = when something happens. keep: "latest" gives a subscriber the newest message only,
    "all" the last `depth` unread ones. latched: a subscriber that comes late gets the last message of each publisher, or of each
    value of the field `key` (a publisher of transforms has one per child frame). recorded: a recorder takes it by default.
    deadline_s: the longest pause between messages that is in order, 0 = any. lease_s: a publisher that gives no sign of life for longer
    counts as not alive; the bus gives them, whether there are messages or not. reliable: small, rare messages of which none may be lost:
    queues are long, and a loss is not only counted but said aloud.
    """

    name: str
    type: type[M]
    rate_hz: float = 0.0
    keep: Keep = "latest"
    depth: int = 1
    latched: bool = False
    recorded: bool = True
    key: str = ""
    deadline_s: float = 0.0
    lease_s: float = 2.0
    reliable: bool = False

    def of(self, **names: str) -> Topic[M]:
        """Return the topic with the names in braces filled in. Raises BusError for a missing or unusable name."""
        return replace(self, name=fill_name("topic", self.name, names))

    def matches(self, name: str) -> bool:
        """Tell whether `name` is this topic or one of its instances."""
        return fits_name(self.name, name)


IMAGE = Topic("camera/{camera}/image", m.Image, rate_hz=5.0, deadline_s=2.0)
DEPTH = Topic("camera/{camera}/depth", m.Image, rate_hz=5.0, keep="all", depth=32, deadline_s=2.0)
CAMERA_INFO = Topic("camera/{camera}/camera_info", m.CameraInfo, latched=True)
TRANSFORMS = Topic("transforms", m.Transform, keep="all", depth=1000, latched=True, key="child_frame_id")
CLOCK = Topic("clock", m.ClockTick, rate_hz=20.0, recorded=False, deadline_s=1.0)
PROMPTS = Topic("prompts", m.PromptSet, latched=True)
PROMPT_ACK = Topic("prompt_ack", m.PromptAck, keep="all", depth=64, latched=True)
DETECTIONS = Topic("detections", m.Detections, rate_hz=2.0, keep="all", depth=16, deadline_s=5.0)
EMBEDDINGS = Topic("embeddings", m.Embeddings, keep="all", depth=16)
MASKS = Topic("masks", m.Masks, rate_hz=2.0, keep="all", depth=16, deadline_s=5.0)
OBJECTS = Topic("objects", m.Objects, rate_hz=2.0, deadline_s=5.0)
INSTRUCTION = Topic("instruction", m.Instruction, keep="all", depth=16, latched=True, reliable=True)
PLAN_STEP = Topic("plan_step", m.PlanStep, keep="all", depth=100, reliable=True)
QUESTION = Topic("question", m.Question, keep="all", depth=16, latched=True, reliable=True)
SKILL_GOAL = Topic("skill_goal", m.SkillGoal, keep="all", depth=16, reliable=True)
SKILL_CANCEL = Topic("skill_cancel", m.SkillCancel, keep="all", depth=16, reliable=True)
SKILL_FEEDBACK = Topic("skill_feedback", m.SkillFeedback, keep="all", depth=100)
SKILL_RESULT = Topic("skill_result", m.SkillResult, keep="all", depth=16, reliable=True)
TASK_RESULT = Topic("task_result", m.TaskResult, keep="all", depth=16, latched=True, reliable=True)
TASK_VERDICT = Topic("task_verdict", m.TaskVerdict, keep="all", depth=16, latched=True, reliable=True)
EMERGENCY_STOP = Topic("emergency_stop", m.EmergencyStop, keep="all", depth=16, latched=True, reliable=True)
ARM_COMMAND = Topic("arm/command", m.ArmCommand)
ARM_STATE = Topic("arm/state", m.ArmState, rate_hz=10.0, deadline_s=1.0)
LINK_STATUS = Topic("link_status", m.LinkStatus, rate_hz=1.0, keep="all", depth=64, latched=True, key="peer", deadline_s=3.0)
LAUNCH_STATUS = Topic("launch_status", m.LaunchStatus, rate_hz=1.0, latched=True, deadline_s=3.0)
NODE_STATUS = Topic("node_status", m.NodeStatus, rate_hz=1.0, keep="all", depth=256, latched=True, deadline_s=2.5)

TOPICS: dict[str, Topic[Any]] = {
    topic.name: topic
    for topic in (
        IMAGE, DEPTH, CAMERA_INFO, TRANSFORMS, CLOCK, PROMPTS, PROMPT_ACK, DETECTIONS, EMBEDDINGS, MASKS, OBJECTS, INSTRUCTION,
        PLAN_STEP, QUESTION, SKILL_GOAL, SKILL_CANCEL, SKILL_FEEDBACK, SKILL_RESULT, TASK_RESULT, TASK_VERDICT, EMERGENCY_STOP,
        ARM_COMMAND, ARM_STATE, LAUNCH_STATUS, LINK_STATUS, NODE_STATUS,
    )
}  # fmt: skip


def find(name: str) -> Topic[Any]:
    """Return the topic called `name`, for example "camera/front/image", or "left/camera/front/image" in a namespace.

    Raises BusError if the table has none.
    """
    for tail in tails(name):
        for topic in TOPICS.values():
            if topic.matches(tail):
                return replace(topic, name=name)
    raise BusError(f"topic: expected one of {', '.join(TOPICS)}, got {name!r}")
