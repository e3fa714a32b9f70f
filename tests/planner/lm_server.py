"""A real completions server over the tiny model: token by token, without any cache, and able to misbehave."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class LmServer(ThreadingHTTPServer):
    """Echoes log-probabilities like vLLM. `fault` names what goes wrong; `requests` holds every body it got."""

    daemon_threads = False

    def __init__(self, model: Any, tokenizer: Any) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.model, self.tokenizer = model, tokenizer
        self.fault = ""
        self.failures = 0
        self.requests: list[dict[str, Any]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"

    def ids(self, prompt: str | list[int]) -> list[int]:
        if isinstance(prompt, list):
            return prompt
        return [self.tokenizer.bos_token_id, *self.tokenizer(prompt, add_special_tokens=False)["input_ids"]]

    def choice(self, index: int, prompt: str | list[int], new: int) -> dict[str, Any]:
        import torch

        ids = self.ids(prompt)
        with torch.inference_mode():
            for _ in range(new):
                ids = [*ids, int(self.model(torch.tensor([ids])).logits[0, -1].argmax())]
            log_p = torch.log_softmax(self.model(torch.tensor([ids])).logits[0].double(), -1)
        values = [None, *(float(log_p[at, token]) for at, token in enumerate(ids[1:]))]
        tokens = [self.tokenizer.convert_ids_to_tokens(token) for token in ids]
        text = (prompt if isinstance(prompt, str) else self.tokenizer.decode(prompt)) + self.tokenizer.decode(ids[len(ids) - new :])
        return {"index": index, "text": text, "logprobs": {"tokens": tokens, "token_logprobs": values}}

    def answer(self, body: dict[str, Any]) -> dict[str, Any]:
        prompts, new = body["prompt"], int(body["max_tokens"]) if self.fault != "no new token" else 0
        choices = [self.choice(i, prompt, new) for i, prompt in enumerate(prompts)]
        usage = {"prompt_tokens": sum(len(self.ids(prompt)) for prompt in prompts), "completion_tokens": new * len(prompts)}
        logs = [choice["logprobs"] for choice in choices]
        match self.fault:
            case "reversed":
                choices.reverse()
            case "zeros":
                for log in logs:
                    log["token_logprobs"] = [0.0] * len(log["tokens"])
            case "one zeroed":
                logs[1]["token_logprobs"] = [0.0] * len(logs[1]["tokens"])
            case "too sure":
                for log in logs:
                    log["token_logprobs"] = [-1e-4] * len(log["tokens"])
            case "positive":
                logs[1]["token_logprobs"][2] = 0.5
            case "not a number":
                logs[1]["token_logprobs"][2] = float("nan")
            case "one missing":
                logs[1]["token_logprobs"][2] = None
            case "an entry short":
                for values in logs[1].values():
                    values.pop()
            case "no log-probabilities":
                choices[0]["logprobs"] = None
            case "no echo":
                for choice, prompt in zip(choices, prompts, strict=True):
                    choice["text"] = choice["text"].removeprefix(prompt)
            case "a choice short":
                choices.pop()
            case "twice the same index":
                choices[1]["index"] = 0
        return {"choices": choices, **({} if self.fault == "no usage" else {"usage": usage})}


class _Handler(BaseHTTPRequestHandler):
    server: LmServer
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        names = ["tiny", "other"] if self.server.fault == "two models" else ["tiny"]
        self._send(200, json.dumps({"data": [{"id": name} for name in names]}))

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.requests.append(body)
        if self.server.failures:
            self.server.failures -= 1
            self._send(503, "busy")
        elif self.server.fault == "hangs up":
            self.close_connection = True
        elif self.server.fault == "refuses":
            self._send(400, json.dumps({"error": "no such model"}))
        elif self.server.fault == "too long":
            self._send(400, json.dumps({"error": "This model's maximum context length is 256 tokens"}))
        elif self.server.fault == "not JSON":
            self._send(200, "<html>")
        else:
            self._send(200, json.dumps(self.server.answer(body)))

    def _send(self, status: int, text: str) -> None:
        data = text.encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(data)
        self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:
        """Silent."""


@contextmanager
def serving(model: Any, tokenizer: Any) -> Iterator[LmServer]:
    """A server on a free port, gone at the end."""
    with LmServer(model, tokenizer) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join(30)
