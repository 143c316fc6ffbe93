"""Checks of an answer before it is committed.

A rule is one function `(task, reply) -> iterable of Defect` in its own file under `rules/`. To add one, write that file
and name the function in `check.ALWAYS` or, when it looks at content, in `check.CONTENT`. A rule is pure. A defect says
to the answer's author what to do, and a rule that is not sure yields nothing, because a false alarm costs a model call.

Rules read answers through `words` (sentences, lists), `outline` (headings, items) and `languages`, and prompts through
`demands`. `compiling` names the code that has to compile; `code` compiles it, in another process that `sandbox` limits.

"""
