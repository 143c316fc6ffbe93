"""The language of a text is told by its script and its small words; what a prompt asks for, by its own words."""

# ruff: noqa: RUF001 - letters of other alphabets are meant
import pytest

from ai3ray.domain.call import Reply, Usage
from ai3ray.domain.plan import Task
from ai3ray.verifier.languages import detect_language, languages
from ai3ray.verifier.rules.language import asked_languages, language

SEA = {
    "en": "The sea covers most of the planet and it has been the road of trade for as long as people have built ships.",
    "de": "Das Meer bedeckt den größten Teil des Planeten, und es war die Straße des Handels, solange es Schiffe gibt.",
    "fr": "La mer couvre la plus grande partie de la planète, et elle a été la route du commerce depuis toujours.",
    "es": "El mar cubre la mayor parte del planeta y ha sido la ruta del comercio desde que las personas hacen barcos.",
    "pt": "O mar cobre a maior parte do planeta e tem sido a rota do comércio desde que as pessoas constroem navios.",
    "it": "Il mare copre la maggior parte del pianeta ed è stato la via del commercio da quando ci sono le navi.",
    "nl": "De zee bedekt het grootste deel van de planeet en is de weg van de handel geweest zolang er schepen zijn.",
    "sv": "Havet täcker större delen av planeten och det har varit handelns väg så länge som det har byggts fartyg.",
    "pl": "Morze pokrywa większą część planety i było drogą handlu, odkąd są statki, a także jest dla nich domem.",
    "ro": "Marea acoperă cea mai mare parte a planetei și a fost drumul comerțului de când oamenii au corăbii.",
    "ru": "Море покрывает большую часть планеты, и оно было дорогой торговли с тех пор, как люди строят корабли.",
    "el": "Η θάλασσα καλύπτει το μεγαλύτερο μέρος του πλανήτη και ήταν πάντα ο δρόμος του εμπορίου.",
    "zh": "海洋覆盖了地球的大部分，自从人们建造船只以来，它一直是贸易之路。",
    "ja": "海は地球の大部分を覆っており、人々が船を造って以来、貿易の道であり続けている。",
    "ko": "바다는 지구의 대부분을 덮고 있으며 사람들이 배를 만든 이래로 무역의 길이 되어 왔다.",
    "ar": "يغطي البحر معظم الكوكب وكان طريق التجارة منذ أن بنى الناس السفن.",
}


def judged(prompt, text, kind="writing", **fields):
    task = Task(id="t", prompt=prompt, kind=kind, **fields)
    return list(language(task, Reply(text=text, finish="stop", usage=Usage(), model="m")))


@pytest.mark.parametrize("code", SEA)
def test_a_sentence_or_two_tell_the_language(code):
    assert detect_language(SEA[code]).leading == code


@pytest.mark.parametrize("text", ["", "42", "Lima", "Paris, Lyon, Nice, Orange", "x = f(y)", "—", "🌊 🌊"])
def test_too_little_text_tells_none(text):
    assert detect_language(text).leading is None


@pytest.mark.parametrize("wanted", SEA)
@pytest.mark.parametrize("said", ["en", "de", "fr", "ru", "zh"])
def test_a_translation_is_in_the_language_that_was_named(wanted, said):
    defects = judged(f"Translate the text to {languages()[wanted].name}.", 2 * SEA[said], kind="translation")
    assert bool(defects) is (wanted != said)
    assert all(languages()[wanted].name in defect.problem for defect in defects)


@pytest.mark.parametrize(
    ("prompt", "kind", "codes"),
    [
        ("Translate from English into German: hello", "translation", {"de"}),
        ("Übersetze den Text ins Englische.", "translation", {"en"}),
        ("Antworte auf Deutsch: Was ist ein Wal?", "other", {"de"}),
        ("Réponds en anglais.", "other", {"en"}),
        ("Responde en español, por favor", "other", {"es"}),
        ("Rispondi in italiano", "other", {"it"}),
        ("Напиши рассказ на русском языке о море.", "writing", {"ru"}),
        ("请用中文写一篇短文。", "writing", {"zh"}),
        ("把下面的文字翻译成英文：你好", "translation", {"en"}),
        ("Write a letter in formal German to a landlord.", "writing", {"de"}),
        ("Write an essay on French cuisine in English.", "writing", {"en"}),
        ("Write the sign in French and English.", "writing", {"fr", "en"}),
        ("Translate to Brazilian Portuguese (informal).", "translation", {"pt"}),
        ("Write about life in German cities.", "writing", set()),
        ("Write about the French Revolution in French schools.", "writing", set()),
        ("Do not write in French.", "writing", set()),
        ("Explain the subjunctive in French.", "analysis", set()),
        ("Write a vocabulary list in Italian.", "writing", set()),
        ("Summarize the debate in Spanish politics.", "summarization", set()),
        ("Write about tea.", "writing", set()),
    ],
)
def test_the_prompt_names_the_language(prompt, kind, codes):
    assert asked_languages(Task(id="t", prompt=prompt, kind=kind)) == codes


LONG = "Describe for the readers of a travel magazine how the sea has shaped the trade of the world and its harbours."


@pytest.mark.parametrize("said", ["de", "fr", "es", "ru", "zh"])
def test_without_a_name_the_answer_is_in_the_language_of_a_long_prompt(said):
    assert judged(LONG, 3 * SEA[said])
    assert not judged(LONG, 3 * SEA["en"])


@pytest.mark.parametrize(
    "fields",
    [
        {"kind": "extraction"},
        {"kind": "summarization"},
        {"kind": "coding"},
        {"depends_on": ("source",)},
        {"output": "code"},
        {"output": "json"},
    ],
)
def test_where_material_may_decide_the_language_nothing_is_said(fields):
    assert not judged(LONG, 3 * SEA["de"], **fields)


def test_a_short_prompt_tells_nothing():
    assert not judged("Write about tea.", 3 * SEA["de"])


def test_a_prompt_that_holds_both_languages_allows_both():
    assert not judged(f"{LONG} Use this: {SEA['de']} {SEA['de']}", 3 * SEA["de"])


def test_quotations_and_code_do_not_change_the_language():
    text = f"{3 * SEA['en']}\n\n> {SEA['de']}\n\n```\n{9 * SEA['fr']}\n```"
    assert not judged("Write in English about the sea.", text)
