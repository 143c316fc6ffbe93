"""Checks of an answer before it is committed.

A rule is a pure function `(task, reply) -> iterable of Defect` in its own file under `rules/`, named in `check.ALWAYS`
or, when it looks at content, in `check.CONTENT`. A defect tells the author what to do. A rule that is not sure
yields nothing, because a false alarm costs a model call.

"""
