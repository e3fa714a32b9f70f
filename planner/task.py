"""One instruction from its start to its end, without I/O: decide, act, look again, until done."""

from __future__ import annotations

from collections.abc import Sequence

from seesay.errors import SkillError, UserError
from seesay.messages import (
    ArmState,
    Header,
    Instruction,
    Objects,
    PlanStep,
    Question,
    SkillGoal,
    SkillResult,
    TaskOutcome,
    TaskResult,
)
from seesay.planner.agenda import Agenda, Subtask
from seesay.planner.anchors import Anchors
from seesay.planner.asking import Asking, Help
from seesay.planner.binding import option_of
from seesay.planner.checking import Checking
from seesay.planner.expansion import Unseen
from seesay.planner.explain import closest
from seesay.planner.instructions import check_instruction, searchable, still_named
from seesay.planner.moves import Act, End, Move, Wait
from seesay.planner.prompt import StepRecord
from seesay.planner.pursuit import Pursuit, agenda_of
from seesay.planner.relations import evidence_ns, find
from seesay.planner.saycan import SayCan
from seesay.planner.scene import Unclear
from seesay.planner.skills import DONE


class Task:
    """State machine of one instruction; the caller does all I/O.

    Call `advance` with the newest objects until it says `Act`; run the goal; give its end to `report`; go on. Every decision after
    a step is made from pictures taken after that step. Times are nanoseconds on the clock of the objects' stamps.

    An instruction that the grammar reads (`seesay.planner.reading`) becomes an agenda of goals over the objects that are here, pursued one
    after the other; any other goes to the language model as it is.
    """

    def __init__(
        self,
        instruction: Instruction,
        saycan: SayCan,
        now_ns: int,
        *,
        max_steps: int = 8,
        max_failures: int = 3,
        patience_s: float = 5.0,
        timeout_s: float = 600.0,
        goal_timeout_s: float = 90.0,
        verify: bool = True,
        expand: bool = True,
        history: Sequence[StepRecord] = (),
        help: Help | None = None,
    ) -> None:
        """max_steps: executed steps in all; max_failures: in a row; patience_s: how long to look for an object that the instruction
        names, or for anything that can be done, before giving up; timeout_s: for the whole task; goal_timeout_s: for the executor to end
        one goal, longer than its own limit. verify: whether perception decides if a step had its effect and a goal is reached, not only
        the executor and the language model. expand: whether to read the instruction; without, plain SayCan.
        history: steps that somebody else has run already, phrases of the library. help: when to ask a person, None for never."""
        self.instruction = instruction
        self.history: list[StepRecord] = []
        self.ended: TaskResult | None = None
        self._saycan = saycan
        self._max_steps = max_steps
        self._max_failures = max_failures
        self._patience_ns = int(patience_s * 1e9)
        self._begun_ns, self._deadline_ns = now_ns, now_ns + int(timeout_s * 1e9)
        self._goal_timeout_s = goal_timeout_s
        self._goal_deadline_ns = 0
        self._evidence_from_ns = 0
        self._looking_since_ns = now_ns
        self._header = Header(now_ns)
        self._goal: SkillGoal | None = None
        self._agenda = agenda_of(instruction.text, saycan.library) if expand else None
        self._unclear: Agenda | Pursuit | None = None
        self._anchors = Anchors()
        self._check = verify
        self._searchable = searchable(saycan.library)
        self._checking = Checking(saycan.library)
        self._asking = Asking(help)
        for record in history:
            self._record(record)

    @property
    def goal(self) -> SkillGoal | None:
        """The goal that is being run, None between steps."""
        return self._goal

    @property
    def question(self) -> Question | None:
        """The newest question to a person, which is open as long as it has no answer; None before the first."""
        return self._asking.question

    def answer(self, question_id: str, text: str) -> Question:
        """A person's answer to the open question; see `read_answer`. Raises SkillError if it is none: the question stays open."""
        return self._asking.answer(question_id, text)

    def advance(self, objects: Objects | None, now_ns: int, gripper: ArmState | None = None) -> Move:
        """What to do now. objects: newest perception in the world frame, None for none yet; gripper: None if not known."""
        if self.ended is not None:
            return End(self.ended)
        self._header = Header(now_ns, len(self.history)) if objects is None else _header(objects, now_ns, len(self.history))
        try:
            return self._advance(objects, now_ns, gripper)
        except UserError as error:   # a history too long for the model, log-probabilities that are none, a server that died
            return self._end("failed", str(error))

    def report(self, result: SkillResult, now_ns: int) -> None:
        """The running goal has ended. Results of other goals are ignored."""
        if self._goal is None or result.goal_id != self._goal.id:
            return
        self._record(StepRecord(self._goal.phrase, result.outcome == "succeeded", result.message))
        self._goal = None
        self._evidence_from_ns = now_ns
        self._looking_since_ns = now_ns

    def cancel(self, reason: str, now_ns: int) -> End:
        """End the task now. The caller stops the running goal, if there is one."""
        self._header = Header(now_ns, len(self.history), self._header.frame_id, self._header.clock)
        return End(self.ended) if self.ended is not None else self._end("cancelled", reason)

    def _advance(self, objects: Objects | None, now_ns: int, gripper: ArmState | None) -> Move:
        if now_ns < self._begun_ns:   # a simulator or a recording began anew
            return self._end("cancelled", "the clock was set back to before the task began: give the instruction again")
        if now_ns > self._deadline_ns:
            return self._end("timeout", f"the time for the task is over after {_count(len(self.history))}")
        try:
            check_instruction(self.instruction.text, self._saycan.library)
        except SkillError as error:
            return self._end("refused", str(error))
        if self._goal is not None and now_ns > self._goal_deadline_ns:
            silent = f"the executor has not answered to {self._goal.phrase!r} within {self._goal_timeout_s:g} s"
            return self._end("failed", f"{silent}: see that it runs (`seesay node list`), then give the instruction again")
        if self._goal is not None:
            return Wait(f"running: {self._goal.phrase}")
        if objects is None or evidence_ns(objects) < self._evidence_from_ns:
            return Wait("waiting for a picture of how things stand now")
        objects = self._anchors.apply(objects)
        if self._asking.pending:
            return self._settle(objects, now_ns, gripper)
        missing = self._understand(objects)
        if self._verify(objects, gripper):
            return Wait(f"looking again whether this had its effect: {self.history[-1].phrase}")
        missing = missing or [name for name in self._wanted(objects) if name not in self._searchable and not _seen(objects, name)]
        if missing:
            return self._look_for(missing, objects, now_ns)
        return self._decide(objects, now_ns, gripper)

    def _decide(self, objects: Objects, now_ns: int, gripper: ArmState | None) -> Move:
        agenda = self._agenda
        subtask = agenda.next(objects, self._check) if agenda else None
        step = self._saycan.decide(self.instruction, self.history, objects, now_ns, gripper, subtask)
        if step.choice is None or self._stuck(step):
            if now_ns - self._looking_since_ns < self._patience_ns:
                return Wait("looking for something that can be done")
            return self._end("failed", "nothing is feasible: " + closest(step, subtask.option if subtask else None, _labels(objects)), step)
        self._looking_since_ns = now_ns
        self._asking.consider(step, self._header, self.history[-1].phrase if self._failures() else "")
        return self._settle(objects, now_ns, gripper)

    def _stuck(self, step: PlanStep) -> bool:
        """Whether no skill can be run and what was asked for is not reached either; where affordances are left out, it never is."""
        if self._saycan.mode == "language_only" or any(each.affordance > 0.0 for each in step.candidates if each.skill != DONE):
            return False
        return self._agenda.current is not None if self._agenda else not self.history or not self.history[-1].succeeded

    def _settle(self, objects: Objects, now_ns: int, gripper: ArmState | None) -> Move:
        """Run the chosen option, or end, unless a person's answer must be waited for."""
        step = self._asking.settled(now_ns)
        if step is None:
            return Wait("waiting for a person's answer")
        if step.choice is None:
            return self._end("cancelled", f"asked what to do next, {step.answer}", step)
        chosen = step.candidates[step.choice]
        asked = chosen.phrase == self._asking.insisted
        if asked and self._unclear and self._unclear.settle(option_of(self._saycan.library, chosen.phrase)):
            self._agenda = self._unclear
        agenda = self._agenda
        subtask = agenda.next(objects, self._check) if agenda else None
        if chosen.skill == DONE:
            if agenda and not agenda.finish():
                return self._decide(objects, now_ns, gripper)
            doubt = self._doubt(subtask)
            return self._end("failed" if doubt else "done", f"done after {_count(len(self.history))}{doubt}", step)
        if len(self.history) >= self._max_steps:
            return self._end("failed", f"not done after {_count(len(self.history))}, which is the limit", step)
        if self._failures() >= self._max_failures:
            return self._end("failed", f"gave up after {self._failures()} failures in a row, the last: {self.history[-1].message}", step)
        try:
            self._goal = self._saycan.goal(step, objects, f"{self.instruction.id}/{len(self.history) + 1}")
        except SkillError as error:
            self._record(StepRecord(chosen.phrase, False, str(error)))
            return Wait(f"cannot run {chosen.phrase!r}: {error}")
        self._goal_deadline_ns = now_ns + int(self._goal_timeout_s * 1e9)
        return Act(step, self._goal)

    def _doubt(self, subtask: Subtask | None) -> str:
        """What speaks against it when `done` was chosen."""
        if subtask and self._check:
            return f"; {subtask.reason}" if subtask.reason else ""
        return "; the last one failed" if self.history and not self.history[-1].succeeded else ""

    def _record(self, record: StepRecord) -> None:
        self.history.append(record)
        if self._agenda:
            self._agenda.record(record)

    def _verify(self, objects: Objects, gripper: ArmState | None) -> bool:
        """A step that the executor took for a success has failed if two looks show its effect not to hold. True after the first."""
        if not self._check or not self.history or not self.history[-1].succeeded:
            return False
        phrase = self.history[-1].phrase
        seen = self._checking.look(phrase, objects, gripper)
        if seen == "refuted":
            moved = option_of(self._saycan.library, phrase).relation
            self.history[-1] = StepRecord(phrase, False, "it is seen elsewhere" if moved else "its effect is not seen")
            if self._agenda:
                self._agenda.correct(self.history[-1])
        return seen == "doubted"

    def _understand(self, objects: Objects) -> list[str]:
        """Bring the agenda up to date; what the instruction means and is not there at all."""
        if self._agenda:
            try:
                self._agenda.update(objects)
            except (Unclear, Unseen) as error:
                if isinstance(error, Unseen) and not self._searchable:
                    return [str(error)]
                self._unclear, self._agenda = self._agenda, None
        return []

    def _wanted(self, objects: Objects) -> list[str]:
        """Objects that the next decision needs."""
        if self._agenda:
            return self._agenda.wanted(objects, self._check)
        return still_named(self.instruction.text, self._saycan.library, self.history)

    def _look_for(self, missing: list[str], objects: Objects, now_ns: int) -> Move:
        names = " and ".join(missing)
        if now_ns - self._looking_since_ns < self._patience_ns:
            return Wait(f"looking for the {names}")
        seen = ", ".join(sorted(_labels(objects))) or "nothing"
        outcome: TaskOutcome = "failed" if self.history else "refused"
        return self._end(outcome, f"the instruction names the {names}, which is not seen (seen: {seen}): put it in view or name another")

    def _failures(self) -> int:
        """Failed steps at the end of the history."""
        count = 0
        for record in reversed(self.history):
            if record.succeeded:
                break
            count += 1
        return count

    def _end(self, outcome: TaskOutcome, message: str, step: PlanStep | None = None) -> End:
        self.ended = TaskResult(self._header, self.instruction.id, outcome, message, len(self.history))
        self._goal = None
        self._asking.withdraw()
        return End(self.ended, step)


def _header(objects: Objects, now_ns: int, sequence: int) -> Header:
    return Header(now_ns, sequence, objects.header.frame_id, objects.header.clock, objects.header.source)


def _seen(objects: Objects, name: str) -> bool:
    thing = find(objects, name)
    return thing is not None and thing.status != "lost"


def _labels(objects: Objects) -> set[str]:
    return {thing.label for thing in objects.objects if thing.status != "lost"}


def _count(steps: int) -> str:
    return "one step" if steps == 1 else f"{steps} steps"


__all__ = ["Act", "End", "Move", "Task", "Wait"]
