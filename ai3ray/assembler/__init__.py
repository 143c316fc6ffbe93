"""Strategies that make one answer from the outputs of tasks.

Each strategy is one file, named in `strategies.STRATEGIES` and in `ai3ray.domain.assembly`.
"""
