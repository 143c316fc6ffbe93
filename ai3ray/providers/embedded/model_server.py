"""The embedded model's own process, so that a fault in native code cannot end the engine.

`python -m ai3ray.providers.embedded.model_server WEIGHTS RUNTIME THREADS` reads its key from the first line of stdin,
writes one line of JSON to stdout, `{"url"}` or `{"error"}`, and serves until stdin ends. It imports little.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from typing import Any, NoReturn

from ai3ray.child.lifetime import exit_with_parent

CONTEXT = 4096
"""Tokens shared by all calls in flight."""
PARALLEL = 2
"""Concurrent calls. More gain nothing, because they share the processor."""
CACHE_MIB = 256
"""Memory for earlier prompts."""
ALIAS = "ai3"


def main() -> NoReturn:
    """Serve until the parent closes stdin, then end the process."""
    model, runtime, threads = sys.argv[1], sys.argv[2], int(sys.argv[3])
    sys.path.append(runtime)
    exit_with_parent()
    key = sys.stdin.readline().strip()
    server = None
    try:
        server = start(model, threads, key)
        report(url=server.listening_address)
    except Exception as error:  # noqa: BLE001 - the edge of the process
        report(error=explain(error, model))
    while server is not None and sys.stdin.read(4096):
        pass
    os._exit(0)  # the server's own end would wait for calls in flight


def start(model: str, threads: int, key: str) -> Any:
    """Start the server on a free loopback port."""
    xllamacpp: Any = importlib.import_module("xllamacpp")  # compiled, untyped, and not on every machine

    params = xllamacpp.CommonParams()
    params.model.path = model
    params.model_alias = {ALIAS}
    params.n_ctx, params.n_parallel, params.kv_unified = CONTEXT, PARALLEL, True
    params.cache_ram_mib = CACHE_MIB
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = threads
    params.hostnames, params.port = ["127.0.0.1"], 0
    params.api_keys = [key]  # without one, any web page that the user opens could talk to it
    params.ui, params.verbosity = False, 0
    return xllamacpp.Server(params)


def explain(error: Exception, model: str) -> str:
    """Return the reason and the remedy in one line."""
    if isinstance(error, ImportError):
        if "libgomp" in str(error):
            return "the system library libgomp.so.1 is missing: run `apt-get install -y libgomp1`"
        return f"the runtime cannot be imported ({error}): run `ai3 local install`"
    if isinstance(error, RuntimeError):
        return f"{model} cannot be loaded: it must be a complete GGUF file of a text model ({error})"
    return f"the process failed: {type(error).__name__}: {error}"


def report(**words: str) -> None:
    """Write the one line that the parent waits for; later output goes to the log."""
    sys.stdout.write(f"{json.dumps(words)}\n")
    sys.stdout.flush()
    os.dup2(2, 1)


if __name__ == "__main__":
    main()
