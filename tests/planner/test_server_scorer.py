"""The server's scores against the local model's, over HTTP, and every answer that must not be believed."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from seesay.errors import ConfigError, ContextError, ModelError, SkillError
from seesay.messages import Objects, SkillResult
from seesay.planner import server_scorer
from seesay.planner.backends import load_scorer
from seesay.planner.language import LanguageScorer, ScriptedScorer
from seesay.planner.saycan import SayCan
from seesay.planner.server_scorer import ServerScorer
from seesay.planner.skills import load_library
from seesay.planner.task import Act, End, Task
from tests.planner.lm_server import LmServer, serving
from tests.planner.things import S, order, scene
from tests.planner.tiny import LONG, PHRASES, SHORT, close


@pytest.fixture
def server(gemma: Any, tokenizer: Any) -> Iterator[LmServer]:
    with serving(gemma.eval(), tokenizer) as running:
        yield running


@pytest.fixture(params=["text", "ids"])
def remote(server: LmServer, tokenizer: Any, request: pytest.FixtureRequest) -> ServerScorer:
    """Prompts as text, and as token ids."""
    return ServerScorer(server.url, tokenizer=tokenizer if request.param == "ids" else None)


@pytest.mark.parametrize("context", [SHORT, LONG])
@pytest.mark.parametrize("fault", ["", "no new token", "reversed"])
def test_parity_with_the_local_model(server: LmServer, remote: ServerScorer, scorer: Any, context: str, fault: str) -> None:
    """Whether or not the server generates a token, and in whatever order it lists its choices."""
    server.fault = fault
    assert isinstance(remote, LanguageScorer)
    assert close(remote.score(context, PHRASES, "."), scorer.score(context, PHRASES, "."))
    assert remote.name.startswith("tiny at 127.0.0.1")


def test_text_and_ids_carry_the_same_single_bos(server: LmServer, remote: ServerScorer, tokenizer: Any) -> None:
    remote.score(SHORT, ["done"], ".")
    ids = [server.ids(prompt) for body in server.requests for prompt in body["prompt"]]
    assert ids
    assert all(row[0] == tokenizer.bos_token_id and tokenizer.bos_token_id not in row[1:] for row in ids)


def test_order_and_batches_do_not_matter(remote: ServerScorer, server: LmServer, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = dict(zip(PHRASES, remote.score(SHORT, PHRASES, "."), strict=True))
    monkeypatch.setattr(server_scorer, "BATCH", 3)
    turned = PHRASES[::-1]
    assert remote.score(SHORT, turned, ".") == [whole[phrase] for phrase in turned]
    assert [len(body["prompt"]) for body in server.requests] == [10, 3, 3, 3, 1]


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ("zeros", "every log-probability is 0"),
        ("one zeroed", "is certain although"),
        ("too sure", "different phrases add up to"),
        ("positive", "a log-probability is 0.5"),
        ("not a number", "a log-probability is nan"),
        ("one missing", "a log-probability is None"),
        ("no log-probabilities", "no log-probability for each token"),
        ("an entry short", "log-probabilities"),
        ("a choice short", "9 choices for 10 prompts"),
        ("twice the same index", "indices are off"),
        ("not JSON", "not JSON"),
        ("hangs up", "see that it runs"),
        ("refuses", "no such model"),
    ],
)
def test_wrong_answers_are_refused(server: LmServer, remote: ServerScorer, fault: str, says: str) -> None:
    server.fault = fault
    with pytest.raises(ModelError, match=says) as caught:
        remote.score(SHORT, PHRASES, ".")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("fault", "says"), [("no echo", "does not echo"), ("no usage", "URL#MODEL#TOKENIZER")])
def test_text_needs_echo_and_counts(server: LmServer, fault: str, says: str) -> None:
    server.fault = fault
    with pytest.raises(ModelError, match=says):
        ServerScorer(server.url).score(SHORT, PHRASES, ".")


def test_too_long_a_prompt_is_named(server: LmServer, remote: ServerScorer) -> None:
    server.fault = "too long"
    with pytest.raises(ContextError, match="maximum context length is 256"):
        remote.score(SHORT, PHRASES, ".")


def test_a_busy_server_is_asked_again_and_counts_once(server: LmServer, remote: ServerScorer, scorer: Any) -> None:
    server.failures = 2
    assert close(remote.score(SHORT, PHRASES, "."), scorer.score(SHORT, PHRASES, "."))
    assert len(server.requests) == 3


def test_a_server_that_dies_is_one_sentence(gemma: Any, tokenizer: Any) -> None:
    with serving(gemma.eval(), tokenizer) as server:
        scorer = ServerScorer(server.url)
        scorer.warm(SHORT)
    with pytest.raises(ModelError, match="see that it runs") as caught:
        scorer.score(SHORT, PHRASES, ".")
    assert "\n" not in str(caught.value)


def test_a_server_that_dies_in_mid_plan_ends_the_task(gemma: Any, tokenizer: Any, table: Objects) -> None:
    """The first step is decided with the server's help; by the second it is gone."""
    step = "pick up the red block and place it in the green bowl"
    with serving(gemma.eval(), tokenizer) as server:
        remote = ServerScorer(server.url)

        def favouring_the_step(context: str, phrase: str) -> float:
            return remote.score(context, [phrase])[0] - (0.0 if phrase == step else 1e4)

        task = Task(order(step), SayCan(load_library(), ScriptedScorer(favouring_the_step)), 10 * S)
        move = task.advance(table, 10 * S)
        assert isinstance(move, Act)
        assert move.goal.phrase == step
    task.report(SkillResult(move.goal.header, move.goal.id, "failed", "slipped"), 11 * S)
    end = task.advance(scene(*table.objects, at_s=12), 12 * S)
    assert isinstance(end, End)
    assert end.result.outcome == "failed"
    assert "see that it runs" in end.result.message


def test_a_server_that_never_answers_is_given_up(gemma: Any, tokenizer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    release = threading.Event()
    with serving(gemma.eval(), tokenizer) as server:
        monkeypatch.setattr(server, "answer", lambda body: release.wait(30) and {})
        try:
            with pytest.raises(ModelError, match=r"no answer within 0\.2 s"):
                ServerScorer(server.url, "tiny", timeout_s=0.2).score(SHORT, PHRASES, ".")
        finally:
            release.set()


def test_models_and_addresses(server: LmServer, tokenizer: Any, tmp_path: Any) -> None:
    tokenizer.save_pretrained(tmp_path)
    for spelling in (server.url, f"{server.url}/#tiny", f"{server.url}#tiny#{tmp_path}"):
        assert load_scorer(spelling).score(SHORT, ["done"], ".")[0] < 0
    server.fault = "two models"
    with pytest.raises(ConfigError, match="serves tiny, other; name one"):
        load_scorer(server.url).score(SHORT, ["done"])
    for address in ("file:///etc/passwd", "http://", "ftp://host/v1"):
        with pytest.raises(ConfigError, match="correct --lm"):
            load_scorer(address)


def test_key_is_sent_only_where_it_is_set(server: LmServer, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[dict[str, str]] = []
    opened = server_scorer.urllib.request.urlopen  # type: ignore[attr-defined]

    def look(request: Any, timeout: float) -> Any:
        seen.append(dict(request.headers))
        return opened(request, timeout=timeout)

    monkeypatch.setattr("urllib.request.urlopen", look)
    ServerScorer(server.url, "tiny").score(SHORT, ["done"], ".")
    monkeypatch.setenv("SEESAY_LM_KEY", "secret")
    ServerScorer(server.url, "tiny").score(SHORT, ["done"], ".")
    assert [headers.get("Authorization") for headers in seen] == [None, "Bearer secret"]


def test_degenerate_input(remote: ServerScorer, server: LmServer) -> None:
    assert remote.score(SHORT, []) == []
    with pytest.raises(SkillError, match="empty"):
        remote.score(SHORT, ["done", ""])
    assert server.requests == []
    twice = remote.score(SHORT, ["done", "done"], ".")
    assert twice[0] == twice[1]
