"""Answers and what a careful reader says of them. `bad` names the rule's word that has to be in a defect."""

from typing import Any, NamedTuple

from ai3ray.domain.plan import Checks, Task


class Answer(NamedTuple):
    """One answer."""

    name: str
    text: str
    task: Task
    bad: str | None = None


def _task(prompt: str = "Write about the sea.", **fields: Any) -> Task:
    return Task(id="t", prompt=prompt, **fields)


SEA = _task()
MD = _task(output="markdown")
JSON = _task("List two colours as JSON.", output="json")
CODE = _task("Write a Python function that adds two numbers.", output="code")
SHAPE = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer", "minimum": 0}},
    "required": ["name"],
}
PERSON = _task("Describe a person.", output="json", checks=Checks(json_schema=SHAPE))


def _checked(**checks: Any) -> Task:
    return _task(checks=Checks(**checks))


GOOD = (
    Answer("a sentence", "The sea is wide.", SEA),
    Answer("one word", "Blue", SEA),
    Answer("a digit", "7", SEA),
    Answer("zero", "0", SEA),
    Answer("an emoji", "🌊", SEA),
    Answer("a dash", "-", SEA),
    Answer("Chinese", "海很宽。", SEA),
    Answer("a long text", " ".join(f"Wave {n} rolls on and breaks on the shore." for n in range(500)), SEA),
    Answer("text with code in it", "Run:\n```sh\nls\n```\nand look.", SEA),
    Answer("text that is JSON", '{"a": 1}', _task("Give the settings as a JSON object.")),
    Answer("begins with I cannot", "I cannot recommend this book enough: it is a joy.", SEA),
    Answer(
        "begins with I can't", "I can't help but admire how the author handles that plot.", _task("Review the novel.")
    ),
    Answer("begins with Unfortunately", "Unfortunately, the sea is warming by 0.1 °C per decade.", SEA),
    Answer("begins with Sorry", "Sorry seems to be the hardest word, as the song goes.", SEA),
    Answer("a story in the first person", "I am unable to sleep. The waves roll on, and I won't go home.", SEA),
    Answer("a vow", "I will not give this up. The sea is mine.", SEA),
    Answer("a diary", "I cannot write this without thinking of her.", SEA),
    Answer("a limit of the sea", "We can't complete the circle; the currents forbid it.", SEA),
    Answer(
        "a letter that declines",
        "I'm sorry, but I cannot help with that request. Kind regards, Ann",
        _task("Write a short letter in which Ann declines a request."),
    ),
    Answer(
        "a translated refusal",
        "I'm sorry, but I can't help you with that.",
        _task("Ins Englische: Es tut mir leid, aber dabei kann ich nicht helfen.", kind="translation"),
    ),
    Answer(
        "a support agent's line",
        "I'm sorry, but I can't assist with that.",
        _task("Write one line of a customer support agent who lacks access."),
    ),
    Answer("a limit of knowledge", "We cannot know this: no records survive.", _task("What did he eat?")),
    Answer("a negative finding", "I cannot find a date in the text.", _task("Extract the date.")),
    Answer("a caveat, then the answer", "I can't provide that exact figure, but here is an estimate: 40 km.", SEA),
    Answer("a caveat, then a list", "I can't give a full list of that kind.\n- cod\n- herring\n- tuna", SEA),
    Answer("about rules", "As an AI policy researcher, I would say that rules help.", SEA),
    Answer("German prose", "Ich kann das Meer von hier aus nicht sehen, aber ich höre es.", SEA),
    Answer("a German no", "Ich kann diesem Plan nicht zustimmen, denn das Meer ist zu kalt.", SEA),
    Answer("Markdown", "# Sea\n\n- wide\n- deep\n", MD),
    Answer("Markdown without a heading", "The sea is *wide*.", MD),
    Answer("Markdown with code", "Use:\n\n```python\nprint(1)\n```\n", MD),
    Answer("Markdown with tildes", "~~~\ncode\n~~~", MD),
    Answer("Markdown with a longer fence", "````md\n```py\nx\n```\n````", MD),
    Answer("Markdown in a fence", "```markdown\n# Sea\n\n```py\nx\n```\n\nEnd.\n```", MD),
    Answer("Markdown with fences nested at one length", "See\n```md\nA\n```py\nx\n```\nB\n```\nEnd", MD),
    Answer("Markdown with inline marks", "Write ```` ``` ```` to open a block, ```like so```.", MD),
    Answer("a Markdown number", "42", MD),
    Answer("a Markdown table", "| a | b |\n|---|---|\n| 1 | 2 |", MD),
    Answer("Markdown that begins with a bracket", "[link](http://example.org) is good.", MD),
    Answer("JSON object", '{"a": [1, 2, null, true, "x"]}', JSON),
    Answer("JSON list", "[]", JSON),
    Answer("a JSON string", '"blue"', JSON),
    Answer("a JSON number", "3.5e3", JSON),
    Answer("JSON null", "null", JSON),
    Answer("JSON over many lines", '\n{\n  "a": 1\n}\n\n', JSON),
    Answer("JSON in a fence", '```json\n{"a": 1}\n```', JSON),
    Answer("JSON in a bare fence", "```\n[1]\n```\n", JSON),
    Answer("JSON in a fence with a remark", 'Here it is:\n\n```json\n{"a": 1}\n```\nEnjoy!', JSON),
    Answer("JSON with a fence inside a string", '{"a": "```json\\n{}\\n```"}', JSON),
    Answer("JSON with a line separator", '```json\n{"a": "x\u2028y"}\n```', JSON),
    Answer("JSON that fits", '{"name": "Ann", "age": 3, "more": []}', PERSON),
    Answer("fenced JSON that fits", '```json\n{"name": "Ann"}\n```', PERSON),
    Answer("Python in a fence", "```python\ndef add(a, b):\n    return a + b\n```", CODE),
    Answer("Python without a fence", "def add(a, b):\n    return a + b", CODE),
    Answer("one line of code", "add = lambda a, b: a + b", CODE),
    Answer("code with a docstring", 'def add(a, b):\n    """Add two numbers to a sum."""\n    return a + b', CODE),
    Answer("code with many comments", "# This adds two numbers together.\n# It returns their sum.\nadd = sum", CODE),
    Answer("code with a remark", "Here is the function you need:\n\n```py\nadd = sum\n```\nIt adds.", CODE),
    Answer("SQL", "SELECT name FROM people WHERE age > 3;", CODE),
    Answer("SQL over lines", "SELECT name\nFROM people\nORDER BY name", CODE),
    Answer("a shell command", "ls -la", CODE),
    Answer("HTML", "<p>This is a paragraph with many words in it.</p>", CODE),
    Answer("YAML", "name: build\non: push\njobs:\n  - test", CODE),
    Answer("a Dockerfile", "FROM python:3.11\nRUN pip install ray\nCMD python", CODE),
    Answer("two files", "```python\nx = 1\n```\n\n```toml\n[a]\n```", CODE),
    Answer("includes, in another case", "The NORTH Sea\nis cold.", _checked(must_include=("north sea is",))),
    Answer("includes, with another apostrophe", "It\u2019s cold.", _checked(must_include=("it's",))),
    Answer("includes, composed otherwise", "Cafe\u0301 au lait", _checked(must_include=("café",))),
    Answer(
        "includes, escaped in JSON",
        '{"a": "\\u00fcber"}',
        _task(output="json", checks=Checks(must_include=("über",))),
    ),
    Answer("as long as allowed", "one two three", _checked(min_words=3, max_words=3)),
    Answer("bullets are no words", "- one\n- two\n- three", _checked(max_words=3)),
    Answer("Chinese words", "海很宽也很深。", _checked(min_words=6, max_words=6)),
)

BAD = (
    Answer("nothing", "", SEA, "empty"),
    Answer("white space", " \n\t\u200b\ufeff", SEA, "empty"),
    Answer("an empty fence", "```\n```", MD, "empty"),
    Answer("an empty JSON fence", "```json\n\n```", JSON, "empty"),
    Answer("an empty code fence", "```python\n```", CODE, "empty"),
    Answer("a refusal", "I'm sorry, but I can't help with that.", SEA, "refuses"),
    Answer(
        "a refusal with a curly apostrophe",
        "I\u2019m sorry, but I can\u2019t assist with that request.",
        SEA,
        "refuses",
    ),
    Answer("a cold refusal", "I cannot fulfill this request.", SEA, "refuses"),
    Answer("a polite refusal", "Sorry, I am unable to comply with your request. Anything else?", SEA, "refuses"),
    Answer("a model's refusal", "As an AI language model, I cannot provide that kind of content.", SEA, "refuses"),
    Answer("a refusal to make", "Unfortunately, I can't create this type of content.", SEA, "refuses"),
    Answer("a refusal that will not", "I won't help with that.", SEA, "refuses"),
    Answer("a short refusal", "Sorry, I can't do that.", SEA, "refuses"),
    Answer("a refusal of a task", "I am unable to complete this task.", SEA, "refuses"),
    Answer("a refusal in bold", "**I can't assist with this.**", MD, "refuses"),
    Answer("an apology", "I apologize, but I am not able to assist with such requests.", SEA, "refuses"),
    Answer("a German refusal", "Es tut mir leid, aber ich kann dir bei dieser Anfrage nicht helfen.", SEA, "refuses"),
    Answer("a French refusal", "Désolé, mais je ne peux pas vous aider avec cela.", SEA, "refuses"),
    Answer("a Spanish refusal", "Lo siento, pero no puedo ayudar con eso.", SEA, "refuses"),
    Answer("JSON that is prose", "The colours are red and blue.", JSON, "JSON"),
    Answer("a refusal for JSON", "I'm sorry, but I can't help with that.", JSON, "JSON"),
    Answer("JSON cut", '{"a": [1, 2', JSON, "JSON"),
    Answer("JSON with a trailing comma", '{"a": 1,}', JSON, "JSON"),
    Answer("Python, not JSON", "{'a': None}", JSON, "JSON"),
    Answer("NaN", '{"a": NaN}', JSON, "NaN"),
    Answer("Infinity", "[Infinity]", JSON, "Infinity"),
    Answer("JSON and a remark", '{"a": 1}\nEnjoy!', JSON, "JSON"),
    Answer("two JSON blocks", "```json\n{}\n```\nor\n```json\n[]\n```", JSON, "JSON"),
    Answer("JSON nested too deeply", "[" * 100_000, JSON, "deeply"),
    Answer("JSON without a field", '{"age": 3}', PERSON, "'name'"),
    Answer("JSON with a wrong type", '{"name": 3}', PERSON, "string"),
    Answer("JSON out of bounds", '{"name": "Ann", "age": -1}', PERSON, "minimum"),
    Answer("JSON of another kind", "[]", PERSON, "object"),
    Answer("a schema makes it JSON", "Ann, 3", PERSON.model_copy(update={"output": "text"}), "JSON"),
    Answer("an open fence", "Use:\n\n```python\nprint(1)\n", MD, "fence"),
    Answer("an open fence after a closed one", "```\na\n```\n\n```\nb", MD, "fence"),
    Answer("JSON for text", '{"a": 1}', SEA, "JSON"),
    Answer("a loop", "The sea is wide. " * 500, SEA, "repeats"),
    Answer("JSON for Markdown", '{"text": "# Sea"}', MD, "JSON"),
    Answer("prose for code", "You can add two numbers by using the plus operator.", CODE, "prose"),
    Answer(
        "more prose for code",
        "To add two numbers, take the first one.\nThen add the second one to it.\n\nThat is all there is to it!",
        CODE,
        "prose",
    ),
    Answer("a refusal for code", "I'm sorry, but I can't help with that request.", CODE, "prose"),
    Answer("code in an open fence", "```python\ndef add(a, b):\n    return a + b", CODE, "fence"),
    Answer("does not include", "The South Sea", _checked(must_include=("sea", "north")), "'north'"),
    Answer("too short", "one two", _checked(min_words=3), "at least 3"),
    Answer("too long", "one two three four", _checked(max_words=3), "at most 3"),
    Answer("bullets do not help", "- one\n- two\n---", _checked(min_words=3), "2 words"),
)
