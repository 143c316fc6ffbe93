"""Start the local head: `python -P -m deployments.head`."""

from __future__ import annotations

from .local_head.head_process import main

if __name__ == "__main__":
    main()
