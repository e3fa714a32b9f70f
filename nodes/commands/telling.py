"""What the commands `seesay do`, `seesay cancel` and `seesay stop` say to a running system."""

from __future__ import annotations

import os
import sys
import time
import uuid
from typing import Any

from rich.console import Console

from seesay import topics
from seesay.bus import Bus, Publisher
from seesay.errors import BusError, UserError
from seesay.messages import CancelRequest, EmergencyStop, Header, Instruction, TaskResult
from seesay.nodes import sessions
from seesay.nodes.commands.answering import planner_session, show_question, tell_planner
from seesay.nodes.commands.tables import step_table
from seesay.nodes.plain import dumps
from seesay.nodes.stop_orders import keep_stop
from seesay.services import CANCEL

FIND_S = 5.0
STATUS = {"done": 0, "refused": 2}


def instruction_of(text: str) -> Instruction:
    """An instruction with a new id. Raises UserError if it holds no word."""
    if not any(letter.isalpha() for letter in text):
        raise UserError(f"instruction: expected words such as 'put the red block in the green bowl', got {text!r}; say what to do")
    return Instruction(Header(time.monotonic_ns()), uuid.uuid4().hex, " ".join(text.split()))


def give_instruction(text: str, wait: bool, timeout: float, as_json: bool, session: str) -> int:
    """Send the instruction and, if `wait`, show each decision until the planner ends. Return the exit status."""
    instruction, console = instruction_of(text), Console()
    with Bus(sessions.running(session), f"do-{os.getpid()}") as bus:
        steps, ends = bus.subscriber(topics.PLAN_STEP), bus.subscriber(topics.TASK_RESULT)
        questions = bus.subscriber(topics.QUESTION)
        _send(bus.publisher(topics.INSTRUCTION), instruction, "planner")
        until = time.monotonic() + timeout
        try:
            while wait and time.monotonic() < until:
                bus.wait([steps, questions, ends], min(1.0, until - time.monotonic()))
                for question in (received.message for received in questions.take_all()):
                    if question.instruction_id == instruction.id and not as_json:
                        show_question(console, question)
                for step in (received.message for received in steps.take_all()):
                    if step.instruction_id == instruction.id and not as_json:
                        console.print(step_table(step))
                for end in (received.message for received in ends.take_all()):
                    if end.instruction_id == instruction.id:
                        return _end(end, as_json)
        except KeyboardInterrupt:
            end = tell_planner(bus, CANCEL, CancelRequest(Header(time.monotonic_ns()), instruction.id, "Ctrl-C"))
            sys.stderr.write(f"seesay: {end.outcome}\n")
            raise
    if wait:
        sys.stderr.write(f"seesay: no result within {timeout:g} s; the planner goes on\n")
    return 1 if wait else 0


def cancel_task(reason: str, as_json: bool, session: str) -> int:
    """End the task of the planner, whoever gave it, and show how it ended. Raises UserError if none runs."""
    with Bus(planner_session(session), f"cancel-{os.getpid()}") as bus:
        end = tell_planner(bus, CANCEL, CancelRequest(Header(time.monotonic_ns()), "", reason))
    _end(end, as_json)
    return 0


def emergency_stop(engaged: bool, reason: str, session: str) -> int:
    """Engage or release the emergency stop of every node that listens for it, now or when it starts."""
    directory = sessions.running(session)
    with Bus(directory, f"stop-{os.getpid()}") as bus:
        message = EmergencyStop(Header(time.monotonic_ns()), engaged, reason)
        publisher = bus.publisher(topics.EMERGENCY_STOP)
        publisher.send(message)
        keep_stop(directory, message)
        if not publisher.wait_for_subscribers(1, FIND_S):
            word = "is kept for" if engaged else "does no longer hold for"
            raise BusError(f"no executor and no arm's driver listens now; the stop {word} those that start; check what moves the robot")
        publisher.wait_for_subscribers(2, 1.0)   # the arm's driver besides; it is latched, so whoever comes gets it
    Console().print("stopped; release with `seesay stop --release`" if engaged else "released", highlight=False)
    return 0


def _send(publisher: Publisher[Any], message: object, node: str) -> None:
    if not publisher.wait_for_subscribers(1, FIND_S):
        raise BusError(f"expected a running {node}, got no subscriber to {publisher.topic.name}; start a system that has one")
    publisher.send(message)


def _end(end: TaskResult, as_json: bool) -> int:
    if as_json:
        sys.stdout.write(dumps(end) + "\n")
    else:
        Console().print(f"{end.outcome}: {end.message}", highlight=False, markup=False)
    return STATUS.get(end.outcome, 1)
