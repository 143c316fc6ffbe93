"""`ai3 simulate`: providers that cost nothing."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from ai3ray.simulator import Simulator

Port = Annotated[int, typer.Option("--port", metavar="N", min=0, max=65535, help="Port; 0 takes a free one.")]
Host = Annotated[str, typer.Option("--host", metavar="ADDRESS", help="Address to listen on.")]
Seed = Annotated[int | None, typer.Option("--seed", metavar="N", help="Same seed, same answers.")]
Latency = Annotated[
    float | None, typer.Option("--latency", metavar="S", min=0, help="Median seconds to the first token.")
]
Speed = Annotated[
    float | None, typer.Option("--tokens-per-s", metavar="N", help="Median speed of writing, tokens per second.")
]
File = Annotated[Path | None, typer.Option("--config", metavar="FILE", help="TOML, as in configs/simulator.toml.")]


def simulate(
    port: Port = 0,
    host: Host = "127.0.0.1",
    seed: Seed = None,
    latency: Latency = None,
    tokens_per_s: Speed = None,
    config: File = None,
) -> None:
    """Serve simulated providers until Ctrl-C.

    They speak the wire formats of Anthropic, OpenAI and xAI, and bill nobody. Paste the lines that
    are printed into another terminal, and 'ai3 run' there asks the simulator.

    Examples:
      ai3 simulate
      ai3 simulate --port 9000 --seed 7 --latency 0.5
    """
    from ai3ray.errors import UsageError
    from ai3ray.simulator import SimulatorSettings, run

    pace = {"first_token_s": latency, "tokens_per_s": tokens_per_s}
    overrides = {"seed": seed, "pace": {name: value for name, value in pace.items() if value is not None}}
    given = {name: value for name, value in overrides.items() if value is not None}
    settings = SimulatorSettings.load(config, **given)
    try:
        run(settings, host, port, _announce)
    except KeyboardInterrupt:  # how it is meant to end
        return
    except OSError as error:
        raise UsageError(f"cannot listen on {host}:{port}: {error.strerror}; choose another --port") from error


def _announce(simulator: Simulator) -> None:
    from .streams import emit

    urls = {name: value for name, value in simulator.env().items() if name.endswith("_BASE_URL")}
    exports = "".join(f"export {name}={value}\n" for name, value in urls.items())
    emit(f"# simulator ready at {simulator.base_url}, Ctrl-C ends it\n{exports}")
