"""The planner's questions to a person: on the topic `question` when they open and when they close, and answered through services."""

from __future__ import annotations

import threading

from seesay import messages as m
from seesay.errors import SkillError
from seesay.nodes.node import Node
from seesay.planner.asking import Help
from seesay.planner.conformal import help_file, load_help
from seesay.planner.skills import Library
from seesay.planner.task import Task
from seesay.services import ANSWER, QUESTION
from seesay.topics import QUESTION as QUESTIONS


def help_of(file: str, library: Library, scorer: str, target: float, timeout_s: float, otherwise: m.WithoutAnswer) -> Help:
    """When to ask, as calibrated beside the skill file. Raises SkillError if that was done for another scorer or prompt, or not at all."""
    calibration = load_help(help_file(file))
    calibration.check(scorer, library)
    return Help(calibration, target, timeout_s, otherwise)


class PlannerQuestions:
    """Serves `question` and `answer` for the task at hand until the node's bus is closed. model: the lock under which tasks are used."""

    def __init__(self, node: Node, model: threading.Lock) -> None:
        self._node, self._model = node, model
        self._task: Task | None = None
        self._told: m.Question | None = None
        node.bus.service(QUESTION, self._open)
        node.bus.service(ANSWER, self._answer)

    def follow(self, task: Task | None) -> None:
        """Publish what is new about the questions of `task`, the task at hand; to be called after each of its moves."""
        with self._model:
            before, self._task = self._task, task
        for each in dict.fromkeys([before, task]):
            question = each.question if each else None
            if question is not None and question != self._told:
                self._told = question
                self._node.publish(QUESTIONS, question)

    def _open(self, request: m.QuestionRequest) -> m.OpenQuestion:
        with self._model:
            question = self._task.question if self._task else None
        return m.OpenQuestion(self._node.header(), question if question and not question.answer else None)

    def _answer(self, request: m.Answer) -> m.Question:
        with self._model:
            if self._task is None:
                raise SkillError("no question is open: nothing was taken from the answer")
            return self._task.answer(request.question_id, request.text)
