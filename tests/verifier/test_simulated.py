"""What the simulator writes passes, unless a fault has spoiled it; and nobody is refused for being dull."""

import pytest

from ai3ray.domain.call import Reply, Usage
from ai3ray.domain.plan import KINDS, Task, parse_graph
from ai3ray.domain.request import RunRequest
from ai3ray.prompts.task_prompt import build_task_prompt
from ai3ray.simulator.author.author import write
from ai3ray.simulator.author.plans import write_plan
from ai3ray.simulator.wires.parsed_request import ParsedRequest
from ai3ray.verifier.check import check_with_code

GOALS = (
    "Write a 3-section blog post about AI",
    "Write 5 sections about bees, 100 words each",
    "What is the boiling point of ethanol?",
    "Explain actors to a newcomer in four paragraphs",
    "Compare green tea and black tea; plan it as a diamond",
    "List five tips for better sleep",
    "Write a Python function that sorts a list",
    "Give me three facts about the moon as JSON",
    "Write a report with the sections 'Goal', 'Risks' and 'Next steps'",
    "Summarize the history of Rome in six bullet points",
    "Write a poem about the sea",
    "Schreibe etwas über das Meer",
    "Write 900 words about the sea",
)
SCHEMA = {"type": "object", "properties": {"x": {"type": "string"}, "n": {"type": "integer"}}, "required": ["x", "n"]}

BLAND = (
    (
        "Bees are very important insects. They are important for the environment and for people. Bees help flowers "
        "to grow and they make honey. Honey is sweet and people like to eat it. Bees live in a hive with many other "
        "bees. It is important to protect bees because they are important for the environment."
    ),
    (
        "The future of AI is very exciting. AI can be used in many different ways. AI can be used in healthcare, and "
        "AI can be used in education. AI can be used in business as well. However, there are also some challenges. "
        "It is important to use AI in a responsible way. In conclusion, the future of AI is very exciting."
    ),
    (
        "1. Get enough sleep: Sleep is important for your health.\n2. Eat a healthy diet: A healthy diet is important "
        "for your health.\n3. Exercise regularly: Exercise is important for your health.\n4. Drink water: Water is "
        "important for your health.\n5. Relax: Relaxation is important for your health."
    ),
    "The capital of France is Paris. Paris is the capital of France. It is a beautiful city.",
    (
        "Once upon a time, there was a little girl named Lily. She loved to play in the forest. One day, she found a "
        "little bird. The little bird was sad. Lily was sad too. She took the little bird home. The little bird was "
        "happy. Lily was happy too. They lived happily ever after."
    ),
)


def goal_tasks(goal):
    planned = parse_graph(write_plan(goal), max_tasks=30).tasks
    wished = [Task(id="t", prompt=goal, kind=kind, output=form) for kind in KINDS for form in ("text", "markdown")]
    formed = [Task(id="t", prompt=goal, kind=kind, output=form) for kind in KINDS[:4] for form in ("json", "code")]
    schema = Task.model_validate({"id": "t", "prompt": goal, "checks": {"json_schema": SCHEMA}})
    return (*planned, *wished, *formed, schema)


def simulated(task, fault=None):
    """The task and the simulator's answer to the very prompt that a runner would send."""
    deps = [(dep, f"The output of {dep}.") for dep in task.depends_on]
    prompt = build_task_prompt(
        task, titles={}, deps=deps, request=RunRequest(prompt="x"), max_output_tokens=4096, fence="0123456789abcdef"
    )
    turns = tuple((message.role, message.text) for message in prompt.messages)
    asked = ParsedRequest("openai", "m", False, prompt.system, turns, prompt.max_output_tokens, prompt.json_schema)
    written = write(asked, 7, fault)
    return task, Reply(text=written.text, finish=written.finish, usage=Usage(), model="m")


def test_none_of_what_the_simulator_writes_is_refused():
    answers = [simulated(task) for goal in GOALS for task in goal_tasks(goal)]
    assert len(answers) >= 200
    refused = [(task.prompt, reply.text, check_with_code(task, reply)) for task, reply in answers]
    assert [one for one in refused if not one[2].passed] == []


@pytest.mark.parametrize("number", [300, 1000, 2000])
def test_a_long_answer_made_of_few_sentences_passes(number):
    task, reply = simulated(Task(id="t", prompt=f"Write {number} words about the sea.", output="markdown"))
    assert len(reply.text.split()) >= number
    assert check_with_code(task, reply).defects == ()


@pytest.mark.parametrize("fault", ["defect", "empty", "refusal", "max_tokens"])
def test_every_answer_that_a_fault_has_spoiled_is_found(fault):
    answers = [simulated(task, fault) for goal in GOALS for task in goal_tasks(goal)]
    assert [(task, reply.text) for task, reply in answers if check_with_code(task, reply).passed] == []


@pytest.mark.parametrize("text", BLAND)
@pytest.mark.parametrize("output", ["text", "markdown"])
def test_a_small_model_may_be_dull(text, output):
    task = Task(id="t", prompt="Write a few sentences about the subject.", kind="writing", output=output)
    assert check_with_code(task, Reply(text=text, finish="stop", usage=Usage(), model="m")).defects == ()
