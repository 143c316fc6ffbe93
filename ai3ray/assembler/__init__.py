"""From the outputs of tasks to one answer.

A strategy is one file; it is named in `strategies.STRATEGIES` and in `ai3ray.domain.assembly`.
"""
