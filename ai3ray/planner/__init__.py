"""From a prompt to a task graph, and from a task to the prompt of its call."""
