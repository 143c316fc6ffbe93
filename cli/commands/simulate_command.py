"""`ai3 simulate`: providers that cost nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ai3ray.errors import UsageError
from ai3ray.simulator import Simulator, SimulatorSettings, run
from ai3ray.simulator.response_times import read_latency

from ..streams import write_stdout

Port = Annotated[int, typer.Option("--port", metavar="N", min=0, max=65535, help="Port; 0 takes a free one.")]
Host = Annotated[str, typer.Option("--host", metavar="ADDRESS", help="Address to listen on.")]
Seed = Annotated[int | None, typer.Option("--seed", metavar="N", help="Same seed, same answers.")]
Latency = Annotated[
    str | None,
    typer.Option(
        "--latency",
        metavar="S|SPEC|FILE",
        help="Median seconds to the first token; constant:S or lognormal:S,SIGMA for whole answers; "
        "ttft:S,TOKENS_PER_S; or a JSON file of measured calls.",
    ),
]
Speed = Annotated[
    float | None, typer.Option("--tokens-per-s", metavar="N", help="Median speed of writing, tokens per second.")
]
File = Annotated[
    Path | None, typer.Option("--config", metavar="FILE", help="TOML file with changes to configs/simulator.toml.")
]


def simulate(
    port: Port = 0,
    host: Host = "127.0.0.1",
    seed: Seed = None,
    latency: Latency = None,
    tokens_per_s: Speed = None,
    config: File = None,
) -> None:
    """Serve simulated providers until Ctrl-C.

    They use the wire formats of Anthropic, OpenAI and xAI, and cost nothing. Paste the printed lines
    into another terminal, and 'ai3 run' there calls the simulator. While it runs, change it by POST
    /_sim/faults, /_sim/limits, /_sim/latency or /_sim/reset; GET /_sim/ledger shows what was asked
    and billed.

    Examples:
      ai3 simulate
      ai3 simulate --port 9000 --seed 7 --latency 0.5
      ai3 simulate --latency constant:0.2 --config limits.toml
      ai3 simulate --latency calls.json
      curl -d '{"fault": "overloaded", "when": {"every": 10}}' http://127.0.0.1:9000/_sim/faults
      curl -d '{"factor": 0.25, "seconds": 30}' http://127.0.0.1:9000/_sim/limits
      curl 'http://127.0.0.1:9000/_sim/ledger?summary=1'
    """
    pace = {} if latency is None else read_latency(latency)
    if tokens_per_s is not None:
        pace["tokens_per_s"] = tokens_per_s
    settings = SimulatorSettings.load(config, pace=pace, **({} if seed is None else {"seed": seed}))
    try:
        run(settings, host, port, _announce)
    except KeyboardInterrupt:  # how it is meant to end
        return
    except OSError as error:
        raise UsageError(f"cannot listen on {host}:{port}: {error.strerror}; choose another --port") from error


def _announce(simulator: Simulator) -> None:
    urls = {name: value for name, value in simulator.env().items() if name.endswith("_BASE_URL")}
    exports = "".join(f"export {name}={value}\n" for name, value in urls.items())
    write_stdout(f"# simulator ready at {simulator.base_url}, press Ctrl-C to stop\n{exports}")
