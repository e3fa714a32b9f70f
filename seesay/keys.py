"""The key pairs by which hosts know one another: CURVE25519, 40 characters of Z85 (ZeroMQ RFCs 26 and 32), in two small TOML files.

The folder of keys (mode 0700) holds `NAME.secret` (mode 0600), which never leaves its host, and `NAME.public`, which is copied into the
folder `allowed` of every host that shall talk with this one. Removing it there revokes it.
"""

from __future__ import annotations

import os
import re
import stat
import tomllib
from dataclasses import dataclass, field
from pathlib import Path

from seesay._bus_remote import make_key_pair
from seesay.errors import KeyFileError

MAX_FILE_BYTES = 4096
MAX_ALLOWED = 1000

_Z85 = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#"
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A host's own keys, 40 bytes of Z85 each; the secret one is not shown."""

    name: str
    public: bytes
    secret: bytes = field(repr=False)


def folder() -> Path:
    """The folder of keys: `$XDG_CONFIG_HOME/seesay/keys`, by default `~/.config/seesay/keys`."""
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "seesay" / "keys"


def new(name: str, where: Path) -> tuple[Path, Path]:
    """Make a key pair in the folder `where`; return the paths of the secret and the public file.

    Raises KeyFileError for an unusable name or folder, and where a key of this name exists: it is never replaced.
    """
    if not _NAME.fullmatch(name):
        raise KeyFileError(f"key name: expected at most 64 letters, digits, _ or -, got {name!r}")
    public, secret = make_key_pair()
    paths = where / f"{name}.secret", where / f"{name}.public"
    try:
        (where / "allowed").mkdir(mode=0o700, parents=True, exist_ok=True)
        where.chmod(0o700)
        lines = f'public = "{public.decode()}"\n'
        _create(paths[0], f'# Stays on this host.\n{lines}secret = "{secret.decode()}"\n', 0o600)
        _create(paths[1], f"# Copy this file into the folder keys/allowed of the other host.\n{lines}", 0o644)
    except FileExistsError as error:
        raise KeyFileError(f"key {name}: {error.filename} exists; choose another name, or move that file away") from error
    except OSError as error:
        raise KeyFileError(f"key {name}: {error.filename}: {error.strerror}; name a folder that can be written") from error
    return paths


def load_pair(path: Path) -> KeyPair:
    """Read a secret file. Raises KeyFileError unless it is the user's own with mode 0600 or stricter and holds two keys."""
    text = _read(path, secret=True)
    return KeyPair(path.stem, _key(text, "public", path), _key(text, "secret", path))


def load_public(path: Path) -> bytes:
    """Read a public key, 40 bytes of Z85. Raises KeyFileError."""
    return _key(_read(path), "public", path)


def allowed(where: Path) -> tuple[dict[bytes, str], list[str]]:
    """Return the public keys in the folder `where` with the names of their files, and a sentence for each file that cannot be used.

    Raises KeyFileError if the folder is missing or others may write to it: whoever adds a file there is let in.
    """
    try:
        status = where.stat()
        paths = sorted(where.glob("*.public"))[:MAX_ALLOWED]
    except OSError as error:
        raise KeyFileError(f"allowed keys {where}: {error.strerror}; make it, and copy the other hosts' public files there") from error
    if status.st_uid not in (0, os.getuid()) or stat.S_IMODE(status.st_mode) & 0o022:
        raise KeyFileError(f"allowed keys {where}: expected a folder that only its owner may write to; run chmod 700 {where}")
    found: dict[bytes, str] = {}
    wrong = []
    for path in paths:
        try:
            found.setdefault(load_public(path), path.stem)
        except KeyFileError as error:
            wrong.append(str(error))
    return found, wrong


def is_key(text: str) -> bool:
    """Whether `text` is the Z85 form of 32 bytes."""
    if len(text) != 40 or any(letter not in _Z85 for letter in text):
        return False
    digits = [_Z85.index(letter) for letter in text]
    groups = (digits[at : at + 5] for at in range(0, 40, 5))
    return all(sum(digit * 85**power for digit, power in zip(group, (4, 3, 2, 1, 0), strict=True)) < 1 << 32 for group in groups)


def _create(path: Path, text: str, mode: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
    with open(descriptor, "w") as file:
        os.fchmod(descriptor, mode)
        file.write(text)


def _read(path: Path, secret: bool = False) -> dict[str, object]:
    try:
        with open(os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK), "rb") as file:
            status = os.fstat(file.fileno())
            data = file.read(MAX_FILE_BYTES + 1) if stat.S_ISREG(status.st_mode) else b""
    except OSError as error:
        raise KeyFileError(f"key file {path}: {error.strerror}; make one with seesay keys new NAME") from error
    if secret and (status.st_uid != os.getuid() or stat.S_IMODE(status.st_mode) & 0o077):
        mode = stat.S_IMODE(status.st_mode)
        raise KeyFileError(f"key file {path}: expected to own it with mode 0600, got {mode:04o}; others may know it, so make a new one")
    if not 0 < len(data) <= MAX_FILE_BYTES:
        raise KeyFileError(f"key file {path}: expected a file of 1 to {MAX_FILE_BYTES} bytes; make one with seesay keys new NAME")
    try:
        return tomllib.loads(data.decode())
    except (ValueError, RecursionError):
        raise KeyFileError(f"key file {path}: expected TOML as seesay keys new writes it; make a new one") from None


def _key(table: dict[str, object], name: str, path: Path) -> bytes:
    text = table.get(name)
    if not isinstance(text, str) or not is_key(text):
        raise KeyFileError(f"key file {path}: expected {name} = 40 characters of Z85; make one with seesay keys new NAME")
    return text.encode()
