"""`python -m cli` is `ai3`."""

from .main import main

if __name__ == "__main__":
    main()
