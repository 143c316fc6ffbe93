"""A stand-in for the runtime `xllamacpp`: a tiny server in pure Python, put in front of it on PYTHONPATH."""

from __future__ import annotations

from pathlib import Path

SOURCE = """
import json, os, threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

HOW = os.environ.get("GGML_FAKE_RUNTIME", "")
if HOW == "libgomp":
    raise ImportError("libgomp.so.1: cannot open shared object file: No such file or directory")


class CommonParams(SimpleNamespace):
    def __init__(self):
        super().__init__(
            model=SimpleNamespace(), cpuparams=SimpleNamespace(), cpuparams_batch=SimpleNamespace(), hostnames=[]
        )


class Server:
    def __init__(self, params):
        if HOW == "broken":
            raise RuntimeError("Failed to init server")
        if HOW == "crash":
            os.abort()
        Handler.key = params.api_keys[0]
        server = ThreadingHTTPServer((params.hostnames[0], params.port), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.listening_address = f"http://127.0.0.1:{server.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    def log_message(self, *args):
        pass

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if self.headers["authorization"] != f"Bearer {self.key}":
            self.send_error(401)
            return
        if "DIE" in body["messages"][-1]["content"]:
            os._exit(1)
        keys = sorted(name for name in os.environ if name.endswith("_KEY"))
        said = json.dumps({"asked": body, "keys": keys, "pid": os.getpid()})
        finish = "length" if "LONG" in body["messages"][-1]["content"] else "stop"
        text = "One. Two. Thr" if finish == "length" else said
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.end_headers()
        for delta, end in (({"content": text}, None), ({}, finish)):
            chunk = {"choices": [{"delta": delta, "finish_reason": end}], "model": body["model"]}
            self.wfile.write(b"data: " + json.dumps(chunk).encode() + b"\\n\\n")
        self.wfile.write(b"data: [DONE]\\n\\n")
"""


def write_runtime(folder: Path) -> Path:
    """Put it into a folder; returns the folder."""
    package = folder / "xllamacpp"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(SOURCE)
    return folder
