"""What a node's log looks like: lines for people, or with SEESAY_LOG_FORMAT=json one JSON object a line for programs."""

from __future__ import annotations

import json
import logging
import os
from datetime import UTC, datetime

from seesay.errors import ConfigError

_PLAIN = "%(asctime)s %(levelname)s %(name)s: %(message)s"


class JsonLines(logging.Formatter):
    """One object a line: time (ISO 8601, UTC), level, logger, process, message, and exception where there is one."""

    def format(self, record: logging.LogRecord) -> str:
        entry = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "process": record.process,
            "message": record.getMessage(),
        }
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        return json.dumps(entry, ensure_ascii=False)


def set_up() -> None:
    """Send the log to the standard error stream, as SEESAY_LOG (the level) and SEESAY_LOG_FORMAT (text or json) say. Raises ConfigError."""
    level, style = os.environ.get("SEESAY_LOG", "INFO").upper(), os.environ.get("SEESAY_LOG_FORMAT", "text")
    if level not in logging.getLevelNamesMapping():
        raise ConfigError(f"SEESAY_LOG: expected DEBUG, INFO, WARNING or ERROR, got {level!r}")
    if style not in ("text", "json"):
        raise ConfigError(f"SEESAY_LOG_FORMAT: expected text or json, got {style!r}")
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines() if style == "json" else logging.Formatter(_PLAIN))
    logging.basicConfig(level=level, handlers=[handler])
