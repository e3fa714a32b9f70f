"""What the command `seesay answer` says to a planner that waits for a person, and how a question looks in a terminal."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TypeVar

from rich.console import Console

from seesay.bus import Bus
from seesay.errors import BusError, ServiceError, ServiceTimeout, UserError
from seesay.messages import Answer, Header, Question, QuestionRequest
from seesay.nodes import discovery, sessions
from seesay.nodes.plain import dumps
from seesay.services import ANSWER, QUESTION, Service

LIMIT_S = 10.0

Q = TypeVar("Q")
R = TypeVar("R")


def answer_question(reply: str, as_json: bool, session: str) -> int:
    """Show the open question, or give `reply` to it. Return the exit status. Raises UserError for a bad reply, as the planner says."""
    directory = planner_session(session)
    with Bus(directory, discovery.own_name()) as bus:
        question = bus.client(QUESTION).call(QuestionRequest(Header(time.monotonic_ns())), LIMIT_S).question
        if question is not None and reply:
            question = tell_planner(bus, ANSWER, Answer(Header(time.monotonic_ns()), question.id, reply))
    if as_json:
        sys.stdout.write(dumps(question) + "\n")
    elif question is None:
        Console().print("no question is open")
    else:
        show_question(Console(), question)
    return 1 if question is None else 0


def planner_session(session: str) -> Path:
    """The directory of the running system. Raises BusError if it has no planner."""
    directory = sessions.running(session)
    if QUESTION.name not in discovery.servers(directory):
        raise BusError("expected a running planner, got none that answers; start a system that has one")
    return directory


def tell_planner(bus: Bus, service: Service[Q, R], request: Q) -> R:
    """Its answer. Raises UserError for a request that it refuses, as it says."""
    try:
        return bus.client(service).call(request, LIMIT_S)
    except ServiceTimeout:
        raise
    except ServiceError as error:
        raise UserError(str(error)) from error


def show_question(console: Console, question: Question) -> None:
    """Print a question with its numbered options, or what came of it."""
    if question.answer:
        console.print(f"answered: {question.answer}", highlight=False, markup=False)
        return
    console.print(f"{question.instruction}: which of these?", highlight=False, markup=False)
    for number, (option, share) in enumerate(zip(question.options, question.confidences, strict=True), start=1):
        console.print(f"  {number}  {option}  ({share:.0%})", highlight=False, markup=False)
    console.print("answer with `seesay answer N`, words of one option, or `none`", highlight=False, markup=False)
