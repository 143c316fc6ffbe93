"""The output of commands: tables, charts and texts.

Rich is imported where something is drawn, because JSON and runs without a terminal do without it.
"""
