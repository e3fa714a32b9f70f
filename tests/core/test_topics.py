"""The table of topics is whole and its names are usable as file names."""

import pytest

from seesay import messages, topics
from seesay.errors import BusError


def test_every_topic_is_in_the_table_under_its_name() -> None:
    constants = [value for value in vars(topics).values() if isinstance(value, topics.Topic)]
    assert sorted(topic.name for topic in constants) == sorted(topics.TOPICS)


def test_latched_keys_are_fields_of_the_type() -> None:
    for topic in topics.TOPICS.values():
        assert topic.depth >= 1
        assert not topic.key or topic.key in topic.type.__dataclass_fields__


def test_names_in_braces_are_filled_in() -> None:
    topic = topics.IMAGE.of(camera="front")
    assert topic.name == "camera/front/image"
    assert topic.type is messages.Image
    assert topics.find("camera/front/image") == topic
    assert topics.find("objects") is not None


def test_wrong_names_are_refused() -> None:
    with pytest.raises(BusError, match="'camera'"):
        topics.IMAGE.of()
    with pytest.raises(BusError, match="letters, digits"):
        topics.IMAGE.of(camera="../x")
    with pytest.raises(BusError, match="expected one of"):
        topics.find("camera/front/imag")
