"""Which prompts are in force: one node says it, those that perceive acknowledge it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from seesay.errors import UserError
from seesay.messages import Prompt, PromptAck, PromptChange, PromptSet
from seesay.nodes.node import Node
from seesay.services import PROMPTS as PROMPTS_SERVICE
from seesay.topics import PROMPT_ACK, PROMPTS

PATIENCE_S = 4.0
"""How long nodes are waited for; less than the command line waits for the service."""


class PromptKeeper:
    """Publishes the set of prompts, and serves `prompts`, which changes it while the system runs.

    A set that a node refuses in time is taken back, so that all answer the same one.
    """

    def __init__(self, node: Node, prompts: Sequence[str | Prompt]) -> None:
        self._node = node
        self._acks = node.subscribe(PROMPT_ACK)
        self._known: set[str] = set()
        self._version = 0
        self._prompts = self._publish(prompts)
        node.bus.service(PROMPTS_SERVICE, self._change)

    def _publish(self, prompts: Sequence[str | Prompt]) -> tuple[str | Prompt, ...]:
        self._version += 1
        distinct = tuple(dict.fromkeys(prompts))
        self._node.publish(PROMPTS, PromptSet(self._node.header(), self._version, distinct))
        return distinct

    def _change(self, request: PromptSet) -> PromptChange:
        self._known |= {received.message.node for received in self._acks.take_all()}
        former, self._prompts = self._prompts, self._publish(request.prompts)
        refusals = self._answers()
        refused = {node: refusal for node, refusal in refusals.items() if refusal}
        if refused:
            self._prompts = self._publish(former)
        taken, silent = sorted(refusals.keys() - refused.keys()), sorted(self._known - refusals.keys())
        self._known.difference_update(silent)   # until they are heard again
        return PromptChange(self._node.header(), self._version, tuple(taken), refused, tuple(silent))

    def _answers(self) -> dict[str, str]:
        """The refusal, or an empty text, of each node that answered in time."""
        answers: dict[str, str] = {}
        end = time.monotonic() + PATIENCE_S
        while self._known - answers.keys() and (received := self._acks.take(max(0.0, end - time.monotonic()))) is not None:
            if received.message.version == self._version:
                answers[received.message.node] = received.message.refusal
        return answers


class PromptsInForce:
    """The newest set of prompts that a node's model can take. `mailbox`: to wait for changes."""

    def __init__(self, node: Node, check: Callable[[Sequence[str | Prompt]], None]) -> None:
        """check: raises a UserError for prompts that the model cannot take, and encodes others, so that no picture waits for that."""
        self.mailbox = node.subscribe(PROMPTS)
        self._node, self._check = node, check
        self._set: PromptSet | None = None

    def newest(self) -> PromptSet | None:
        """Take the newest set over, if there is a new one, and acknowledge it; None before the first."""
        received = self.mailbox.take(0)
        if received is not None:
            refusal = ""
            try:
                self._check(received.message.prompts)
                self._set = received.message
            except UserError as error:
                refusal = str(error)
                self._node.log.warning("the prompts of version %d are refused: %s", received.message.version, refusal)
            self._node.publish(PROMPT_ACK, PromptAck(self._node.header(), self._node.name, received.message.version, refusal))
        return self._set
