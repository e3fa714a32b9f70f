"""The topics of this host's bus to another host, and that host's topics to ours, over one encrypted tcp connection."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from seesay import keys, topics
from seesay.errors import ConfigError
from seesay.nodes.runtime import Node
from seesay.remote import Gateway


@dataclass(frozen=True)
class Config:
    """listen: where others may call, such as tcp://*:7447. peer: or the host to call, such as tcp://robot:7447, whose public key is
    `peer_key`.public among those allowed.

    key: name of this host's key pair. keys: the folder of keys, by default ~/.config/seesay/keys. offer: topics that the other host may
    have. accept: topics to take from it, also as patterns such as camera/*/image. quality: of JPEG, 1 to 100.
    """

    key: str
    listen: str = ""
    peer: str = ""
    peer_key: str = ""
    keys: str = ""
    offer: tuple[str, ...] = ()
    accept: tuple[str, ...] = ()
    quality: int = 85


def run(node: Node, config: Config) -> None:
    if bool(config.listen) == bool(config.peer) or bool(config.peer) != bool(config.peer_key):
        raise ConfigError(f"node {node.name}: expected either listen, or peer and peer_key")
    if not (config.offer or config.accept) or not 1 <= config.quality <= 100:
        raise ConfigError(f"node {node.name}: expected topics to offer or to accept, and a quality of 1 to 100")
    folder = Path(config.keys).expanduser() if config.keys else keys.folder()
    pair = keys.load_pair(folder / f"{config.key}.secret")
    gateway = Gateway(node.bus, [topics.find(name) for name in config.offer], config.accept, config.quality)
    try:
        if config.listen:
            keys.allowed(folder / "allowed")
            node.ready(f"listening at {gateway.listen(config.listen, pair, lambda: keys.allowed(folder / 'allowed')[0])}")
        else:
            gateway.dial(config.peer, pair, config.peer_key, keys.load_public(folder / "allowed" / f"{config.peer_key}.public"))
            node.ready(f"calling {config.peer}")
        for _ in node.every(0.5):
            for status in gateway.status(node.header()):
                node.publish(topics.LINK_STATUS, status)
    finally:
        gateway.close()
