"""From the outputs of tasks to one answer: one file per strategy.

To add a strategy, write its `Strategy` in its own file, and name it in `strategies.STRATEGIES` and in
`ai3ray.domain.assembly`.
"""
