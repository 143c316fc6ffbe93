"""Checks of an answer before it is committed.

A rule is one function `(task, reply) -> iterable of Defect` in its own file under `rules/`. To add one,
write that file and name the function in `check.ALWAYS` or, when it looks at content, in `check.CONTENT`.
A rule is pure: the same task and reply give the same defects, in this process or in another. A defect
tells the author of the answer what to do, and a rule that is not sure says nothing: a false alarm costs
another model call.

Rules read answers through `words` (sentences, lists), `outline` (headings, items) and `languages`, and prompts
through `demands`. `compiling` names the code that has to compile; `code` compiles it, in another process that
`sandbox` limits.
"""
