"""Demands are read only where they are plain, and measured only against structure that is there."""

import pytest

from ai3ray.domain.call import Reply, Usage
from ai3ray.domain.plan import Task
from ai3ray.verifier.demands import array_length, read_demands
from ai3ray.verifier.outline import read_outline
from ai3ray.verifier.rules.parts import parts


def counts(prompt):
    return [(count.number, count.unit) for count in read_demands(prompt).counts]


def problems(prompt, text, output="markdown"):
    task = Task(id="t", prompt=prompt, kind="writing", output=output)
    return [defect.problem for defect in parts(task, Reply(text=text, finish="stop", usage=Usage(), model="m"))]


@pytest.mark.parametrize(
    ("prompt", "found"),
    [
        ("List five reasons to sail.", [(5, "items")]),
        ("Please give me exactly 7 practical tips for packing.", [(7, "items")]),
        ("Write three sections on tea.", [(3, "sections")]),
        ("Write an article on tea in four sections.", [(4, "sections")]),
        ("Summarize it in six bullet points.", [(6, "items")]),
        ("Nenne fünf Gründe für einen Garten.", [(5, "items")]),
        ("Donne quatre raisons de lire.", [(4, "items")]),
        ("Enumera cinco ventajas del tren.", [(5, "items")]),
        ("List up to ten ideas.", []),
        ("Give 3-5 examples.", []),
        ("Give three or four examples.", []),
        ("Write 200 words on two cities.", []),
        ("Write part 2 of 4, titled 'Sails'. It belongs to this work: Write four sections on sailing.", []),
        ("Summarize the following text:\n\nList five ideas. Give ten examples.", []),
        ('Explain the order "List five ideas and give ten examples of them" to a child.', []),
        ("How do the five senses work?", []),
        ("Write about the four seasons.", []),
        ("Write the third of five sections.", []),
    ],
)
def test_numbers_are_read_where_they_are_demands(prompt, found):
    assert counts(prompt) == found


@pytest.mark.parametrize(
    ("prompt", "names"),
    [
        ("Write a report with the sections 'Goal', 'Risks' and 'Next steps'.", ("Goal", "Risks", "Next steps")),
        ("Write it with sections: Goal, Main risks and Next steps.", ("Goal", "Main risks", "Next steps")),
        ("Use these headings:\n- Goal\n- Risks: what may fail\n\nBe short.", ("Goal", "Risks")),
        ("Write a post with a title, an introduction and a conclusion.", ("title", "introduction", "conclusion")),
        ("Write about sections of the Alps.", ()),
        ("Explain the parts of a ship.", ()),
    ],
)
def test_names_are_read_where_they_are_demands(prompt, names):
    assert read_demands(prompt).names == names


@pytest.mark.parametrize(
    ("prompt", "number"),
    [("Return a JSON array of five synonyms.", 5), ("Return a list of strings.", 0), ("An array of 3 or 4 names.", 0)],
)
def test_the_length_of_an_array_is_read(prompt, number):
    assert array_length(prompt) == number


def test_the_outline_counts_sections_below_a_title():
    outline = read_outline("# Tea\n\nText.\n\n## Green\n\nText.\n\n## Black\n\n- one\n- two\n\n```\n# no heading\n```")
    assert (outline.title, outline.sections, outline.items) == ("# Tea", 2, 2)
    assert outline.headings == ("Tea", "Green", "Black")


THREE = "1. Read.\n2. Walk.\n3. Sleep."


@pytest.mark.parametrize(
    ("prompt", "text", "says"),
    [
        ("List five ideas.", THREE, "3 of the 5 ideas"),
        ("List five ideas.", "- Read.\n- Walk.", "2 of the 5"),
        ("Write three sections on tea.", "## Green\n\nIt is mild.\n\n## Black\n\nIt is strong.", "2 of the 3 sections"),
        ("Write with the sections 'Goal' and 'Risks'.", "## Goal\n\nTo win.\n\n## Team\n\nTwo.", "'Risks'"),
        ("Write a post with a title and a conclusion.", "It is so.\n\n## Conclusion\n\nYes.", "title"),
    ],
)
def test_what_is_missing_is_named(prompt, text, says):
    assert any(says in problem for problem in problems(prompt, text))


@pytest.mark.parametrize(
    ("prompt", "text"),
    [
        ("List three ideas.", THREE),
        ("List two ideas.", THREE),
        ("List three ideas.", "1. Read: it is quiet. 2. Walk: it is healthy. 3. Sleep: it is free."),
        ("List five ideas.", "Read, walk, sleep, swim and sing."),
        ("List five ideas.", "**A:** x\n**B:** x\n**C:** x\n**D:** x\n**E:** x"),
        ("List five ideas.", "- Indoors\n  - read\n  - sing\n- Outdoors\n  - walk"),
        ("Write three sections on tea.", "Green tea is mild.\n\nBlack tea is strong.\n\nWhite tea is rare."),
        ("Write with the sections 'Goal' and 'Risks'.", "We want to win, and we may lose."),
        ("Write with the sections 'Goal' and 'Risks'.", "## The goal\n\nTo win.\n\n## Main risks\n\nWe may lose."),
        (
            "Write an essay with an introduction and a conclusion.",
            "# Tea\n\n" + "Tea is a leaf. " * 4 + "\n\n## A\n\nIn short, yes.",
        ),
    ],
)
def test_what_may_be_there_in_another_form_is_let_pass(prompt, text):
    assert problems(prompt, text) == []


def test_a_short_json_array_is_named_and_a_long_one_is_not():
    assert problems("Return a JSON array of three names.", '["Ann", "Ben"]', output="json")
    assert problems("Return a JSON array of three names.", '["Ann", "Ben", "Cid"]', output="json") == []
