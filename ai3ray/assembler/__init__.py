"""From the outputs of tasks to one answer: one file per strategy.

To add a strategy, write a function of the port's shape in its own file and name it in `assemble.STRATEGIES`.
"""
