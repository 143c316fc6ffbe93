"""Checks of an answer before it is committed.

A rule is a pure function `(task, reply) -> iterable of Defect` in its own file under `rules/`, named in `check.ALWAYS`
or, when it looks at content, in `check.CONTENT`. A defect says what the author has to do. An uncertain rule yields
nothing: a false alarm costs a model call.
"""
