"""Faults that scorers of whole phrases are known to have, each shown absent.

Where the others are: equality with full forward passes, order, company, batches and a cache over several steps:
`test_transformers_scorer`; servers: `test_server_scorer`; lengths: `test_lengths`; impossible, NaN, ties, underflow: `test_saycan`;
which of many is best without scoring all: `test_search`.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors  # noqa: E402

from seesay.errors import ContextError, SkillError  # noqa: E402
from seesay.planner.language import best_of  # noqa: E402
from seesay.planner.prompt import StepRecord  # noqa: E402
from seesay.planner.saycan import SayCan  # noqa: E402
from seesay.planner.skills import load_library  # noqa: E402
from seesay.planner.task import End, Task  # noqa: E402
from seesay.planner.transformers_scorer import TransformersScorer  # noqa: E402
from tests.planner.things import S, order  # noqa: E402
from tests.planner.tiny import LONG, PHRASES, SHORT, close  # noqa: E402

BIGRAM_WORDS = ["<unk>", "<bos>", ".", "coke", "can", "the", "find", "done"]
NEXT = {
    "the": {"coke": 0.9, "can": 0.1},
    "coke": {"can": 0.7, ".": 0.2, "the": 0.1},
    "can": {".": 0.95, "coke": 0.05},
    "find": {"the": 1.0},
    ".": {"find": 0.5, "done": 0.5},
    "done": {".": 1.0},
}
"""p(next | word), the rest of each row 0 but for rounding."""


@pytest.fixture(scope="module")
def bigrams() -> TransformersScorer:
    """A llama without layers: embedding, norm and head make p(next) depend on the last word alone, as in NEXT."""
    size = len(BIGRAM_WORDS)
    config = transformers.LlamaConfig(
        vocab_size=size, hidden_size=size, intermediate_size=8, num_hidden_layers=0, num_attention_heads=1, bos_token_id=1,
        eos_token_id=None, tie_word_embeddings=False, max_position_embeddings=64,
    )  # fmt: skip
    model = transformers.LlamaForCausalLM(config)
    table = torch.full((size, size), -60.0)
    for word, row in NEXT.items():
        for after, p in row.items():
            table[BIGRAM_WORDS.index(word), BIGRAM_WORDS.index(after)] = math.log(p)
    with torch.no_grad():
        model.model.embed_tokens.weight.copy_(torch.eye(size))
        model.lm_head.weight.copy_(table.T / math.sqrt(size))
    core = Tokenizer(models.WordLevel({word: i for i, word in enumerate(BIGRAM_WORDS)}, unk_token="<unk>"))
    core.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Punctuation()])
    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_object=core, bos_token="<bos>", unk_token="<unk>")
    return TransformersScorer(model, tokenizer, tree=True)


def test_scores_by_hand(bigrams: TransformersScorer) -> None:
    """p(find the coke can . | .) = 0.5 x 1 x 0.9 x 0.7 x 0.95."""
    got = bigrams.score("done . ", ["find the coke can", "find the coke", "done", "find the can"], ".")
    assert [math.exp(value) for value in got] == pytest.approx([0.5 * 0.9 * 0.7 * 0.95, 0.5 * 0.9 * 0.2, 0.5, 0.5 * 0.1 * 0.95], rel=1e-4)
    assert bigrams.score_tokens("done . ", ["done"], ".")[0] == pytest.approx([math.log(0.5), 0.0], abs=1e-4)


def test_the_longer_of_two_phrases_can_win(bigrams: TransformersScorer) -> None:
    """Not without the terminator: p(coke) is never less than p(coke can)."""
    coke, can = bigrams.score("find the ", ["coke", "coke can"], ".")
    assert can > coke
    coke, can = bigrams.score("find the ", ["coke", "coke can"], "")
    assert can < coke
    assert best_of(bigrams, "find the ", ["coke", "coke can"], [0.0, 0.0], ".").index == 1


def test_done_with_and_without_a_full_stop(bigrams: TransformersScorer) -> None:
    """After `done` the terminator `find` cannot follow at once, so `done.` wins; without a terminator the shorter is never beaten."""
    assert bigrams.score("done . ", ["done", "done."], "")[0] >= bigrams.score("done . ", ["done", "done."], "")[1]
    bare, stopped = bigrams.score("done . ", ["done", "done."], " find")
    assert bare < -10
    assert stopped == pytest.approx(math.log(0.5 * 0.5), abs=1e-4)
    assert best_of(bigrams, "done . ", ["done", "done."], [0.0, 0.0], " find").index == 1


def test_all_whole_phrases_share_one_probability(bigrams: TransformersScorer) -> None:
    """All phrases of up to four words that end in the terminator: none is counted twice, so that they sum to 1 at most."""
    phrases = [" ".join(words) for length in range(1, 5) for words in itertools.product(BIGRAM_WORDS[3:], repeat=length)]
    total = sum(math.exp(value) for value in bigrams.score("done . ", phrases, "."))
    assert 0.9 < total <= 1.0 + 1e-6


def merging(merges: list[tuple[str, str]], template: bool = False) -> Any:
    """A byte-level tokenizer whose merges pay no heed to words; `template`: it adds a beginning-of-sequence token by itself."""
    vocabulary = {"<bos>": 0, **{char: i for i, char in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()), start=1)}}
    for left, right in merges:
        vocabulary[left + right] = len(vocabulary)
    core = Tokenizer(models.BPE(vocabulary, merges))
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    core.decoder = decoders.ByteLevel()
    if template:
        core.post_processor = processors.TemplateProcessing(single="<bos> $A", special_tokens=[("<bos>", 0)])
    return transformers.PreTrainedTokenizerFast(tokenizer_object=core, bos_token="<bos>")


def byte_scorer(tokenizer: Any) -> TransformersScorer:
    torch.manual_seed(3)
    config = transformers.LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=2, bos_token_id=0,
        initializer_range=0.3, max_position_embeddings=128,
    )  # fmt: skip
    return TransformersScorer(transformers.LlamaForCausalLM(config), tokenizer, tree=True)


BLANK, BREAK = "\u0120", "\u010a"
MERGES = [(BLANK, "d"), ("o", "n"), (BREAK, "g"), (BREAK, BREAK), ("e", BREAK), (":", BLANK)]


@pytest.mark.parametrize(
    ("context", "phrases", "kept"),
    [
        ("1. ", ["done", "go"], "1."),          # the blank belongs to " d": back to before it, for all
        ("1.", [" done", " go"], "1."),         # the same texts
        ("1. ", ["go", "put"], "1. "),          # nothing merges
        ("Robot: ", ["done", "go"], "Robot"),   # ": " was one token, now ":" and " d" are two
        ("Robot:\n", ["go", "done"], "Robot:"),
        ("Robot:\n", ["\nput", "go"], "Robot:"),
    ],
)
@pytest.mark.parametrize("terminator", ["\n", ".\n", ""])
def test_tokens_that_merge_across_the_boundary(context: str, phrases: list[str], kept: str, terminator: str) -> None:
    """The whole text is tokenised as one; what is scored starts at the last token that text and context share."""
    tokenizer = merging(MERGES)
    scorer = byte_scorer(tokenizer)
    texts, start = scorer.tokenise(context, phrases, terminator)
    assert tokenizer.decode(texts[0][1:start]) == kept
    assert [tokenizer.decode(ids[1:]) for ids in texts] == [context + phrase + terminator for phrase in phrases]
    expected = []
    for ids in texts:
        with torch.inference_mode():
            log_p = torch.log_softmax(scorer.model(torch.tensor([ids])).logits[0].double(), -1)
        expected.append(sum(float(log_p[at - 1, ids[at]]) for at in range(start, len(ids))))
    assert close(scorer.score(context, phrases, terminator), expected)
    assert close(scorer.score_naive(context, phrases, terminator), expected)


def test_the_side_of_the_blank_does_not_matter() -> None:
    scorer = byte_scorer(merging(MERGES))
    assert scorer.score("1. ", ["done", "go"]) == pytest.approx(scorer.score("1.", [" done", " go"]), abs=1e-4)


def test_two_blanks_are_refused() -> None:
    with pytest.raises(SkillError, match="one blank between prompt and phrase"):
        byte_scorer(merging(MERGES)).score("1. ", ["done", " go"])


@pytest.mark.parametrize("template", [False, True])
def test_one_bos_whether_or_not_the_tokenizer_adds_it(template: bool) -> None:
    scorer = byte_scorer(merging(MERGES, template))
    texts, _ = scorer.tokenise("<bos>1. ", ["done", "<bos>"], "\n")
    assert all(ids.count(0) == 1 and ids[0] == 0 for ids in texts)


def test_padding_with_a_real_token_changes_nothing(gemma: Any, tokenizer: Any, scorer: TransformersScorer) -> None:
    """Rows are padded with id 0, which is a word of this vocabulary; long phrases beside one of a single token."""
    phrases = [*PHRASES, "unheard", "done unheard unheard"]
    assert 0 in scorer.tokenise(SHORT, phrases, "")[0][-1]
    padded = TransformersScorer(gemma, tokenizer, tree=False)
    assert close(padded.score(SHORT, phrases, ""), scorer.score_naive(SHORT, phrases, ""))
    assert close(scorer.score(SHORT, phrases, ""), scorer.score_naive(SHORT, phrases, ""))


def test_three_steps_and_a_new_instruction_forward_only_what_is_new(scorer: TransformersScorer) -> None:
    """The part of a decision that is not the phrases' own tokens: the new words, and one to begin from."""
    scorer.score(LONG, PHRASES, ".")
    before = scorer.tokens_forwarded
    scorer.score(LONG, PHRASES, ".")
    own = scorer.tokens_forwarded - before
    context, length = LONG, len(scorer.tokenise(LONG, PHRASES, ".")[0][0])
    for step in (PHRASES[0] + " 2. ", "done 3. ", PHRASES[4] + " 4. "):
        context += step
        before = scorer.tokens_forwarded
        assert close(scorer.score(context, PHRASES, "."), scorer.score_naive(context, PHRASES, "."))
        naive = sum(map(len, scorer.tokenise(context, PHRASES, ".")[0]))
        grown = len(scorer.tokenise(context, PHRASES, ".")[0][0]) - length
        length += grown
        assert scorer.tokens_forwarded - before - naive - own < grown


@pytest.fixture(scope="module")
def naive() -> dict[str, list[float]]:
    """Scores by full forward passes, by context."""
    return {}


@pytest.mark.parametrize("size", [1, 2, 7, 256])
@pytest.mark.parametrize("tree", [True, False])
@pytest.mark.parametrize("start", [SHORT, LONG])
def test_every_way_over_three_steps(
    gemma: Any, tokenizer: Any, naive: dict[str, list[float]], monkeypatch: pytest.MonkeyPatch, start: str, tree: bool, size: int
) -> None:
    """Trees in blocks of so many tokens, batches of so many phrases, another order each time, below and beyond the window."""
    monkeypatch.setattr("seesay.planner.tree.BLOCK", size)
    ways, context = TransformersScorer(gemma, tokenizer, tree=tree), start
    for step, phrases in enumerate((PHRASES, PHRASES[::-1], PHRASES[4:] + PHRASES[:4]), start=2):
        texts, cut = ways.tokenise(context, phrases, ".")
        monkeypatch.setattr("seesay.planner.transformers_scorer.MOST_POSITIONS", size * (max(map(len, texts)) - cut))
        if context not in naive:
            naive[context] = ways.score_naive(context, phrases, ".")
        assert close(ways.score(context, phrases, "."), naive[context])
        context += f"{phrases[0]} {step}. "


def test_a_failed_pass_leaves_no_half_of_itself(scorer: TransformersScorer, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = scorer.score(LONG, PHRASES, ".")
    with monkeypatch.context() as patch:
        patch.setattr(torch, "logsumexp", lambda *_: (_ for _ in ()).throw(MemoryError))
        with pytest.raises(MemoryError):
            scorer.score(LONG + "done ", PHRASES, ".")
    assert close(scorer.score(LONG, PHRASES, "."), expected)


class Narrow:
    """A scorer that takes so many characters."""

    name = "narrow"

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.contexts: list[str] = []

    def warm(self, context: str) -> None:
        """Nothing."""

    def score(self, context: str, phrases: Sequence[str], terminator: str = "\n") -> list[float]:
        if len(context) > self.limit:
            raise ContextError(f"narrow takes at most {self.limit} characters, got {len(context)}: shorten the instruction")
        self.contexts.append(context)
        return [-1.0] * len(phrases)


def test_too_long_a_prompt_loses_its_first_examples_never_the_instruction(table: Any) -> None:
    library = load_library("tabletop")
    dialogue = SayCan(library, Narrow(0)).dialogue
    whole = len(dialogue.context("put the red block in the green bowl", []))
    for dropped, _ in enumerate(library.examples):
        text = dialogue.context("put the red block in the green bowl", [], dropped)
        narrow = Narrow(len(text))
        SayCan(library, narrow).decide(order("put the red block in the green bowl"), [], table, 10 * S)
        assert narrow.contexts == [text]
        assert text.endswith("Human: put the red block in the green bowl.\nRobot: 1. ")
        assert text.startswith("Robot: " + library.introduction)
        assert [example.instruction in text for example in library.examples] == [i >= dropped for i in range(len(library.examples))]
        assert dropped == 0 or len(text) < whole


def test_too_long_without_any_example_is_refused_by_name(table: Any) -> None:
    narrow = Narrow(150)
    with pytest.raises(ContextError, match="narrow takes at most 150 characters"):
        SayCan(load_library(), narrow).decide(order("wave"), [StepRecord("a" * 200)], table, 10 * S)
    end = Task(order("put the red block in the green bowl"), SayCan(load_library(), Narrow(9)), 10 * S).advance(table, 10 * S)
    assert isinstance(end, End)
    assert "narrow takes at most 9 characters" in end.result.message


def test_the_models_own_limit_names_it(scorer: TransformersScorer) -> None:
    scorer.warm("put " * 300)
    assert scorer.tokens_forwarded < 100
    with pytest.raises(ContextError, match=r"at most 256 tokens, got 30[0-9]"):
        scorer.score("put " * 300, ["done"], ".")
