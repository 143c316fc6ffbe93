"""The answer is no refusal.

Providers end most refusals with a finish reason. This rule finds other plain ones: short, beginning with the refusal,
and not about refusing.
"""

# ruff: noqa: RUF001 - letters of other alphabets are meant
from __future__ import annotations

import re
from collections.abc import Iterator

from ai3ray.domain.call import Reply
from ai3ray.domain.plan import Task
from ai3ray.domain.verdict import Defect
from ai3ray.verifier.clean import wants_json
from ai3ray.verifier.words import prompt_excerpt

MAX_CHARS = 600
"""A longer text has content. Also bounds the expressions below."""

_OPENING = re.compile(
    r"""^[\W_]*
    (?: as\ an?\ (?:ai|artificial\ intelligence|(?:large\ )?language\ model)[^.!?]{0,60}?,\s* )?
    (?: (?:i'?m|i\ am|we\ are|we're)\ (?:very\ |so\ |truly\ |really\ )?sorry | (?:my\ )?apologies | sorry
      | i\ (?:must\ )?apologi[sz]e | unfortunately )?
    [\s,.;:!-]* (?:but\s+|however,?\s+|and\s+)?
    (?: (?:i|we)\ (?:can(?:'t|not|\ not)|am\ (?:not\ able|unable)\ to|are\ (?:not\ able|unable)\ to|won't|will\ not
          |must\ decline\ to|have\ to\ decline\ to|do\ not\ feel\ comfortable|don't\ feel\ comfortable)
        |i'm\ (?:not\ able|unable)\ to )\s+
    (?:in\ good\ conscience\s+)?
    (?: (?:help|assist|comply|proceed|engage)(?:ing)?\b (?!\s+but\b)
        (?=[^.!?]*\b(?:that|this|such|your|request|it|these|those)\b)
      | (?:help|assist|comply)\s*[.!]
      | (?:fulfil+|complete|process|honou?r|satisfy|carry\ out|do|answer|respond\ to|handle)\s+
        (?: (?:that|this|your|the|such|these|those)\s+(?:request|task|question|prompt|instruction)s?\b
          | (?:that|this)\s*[.!]?\s*$ )
      | (?:provid|creat|generat|produc|writ|giv|offer|shar|suppl|support|discuss)(?:e|ing|y)?\b[^.!?]{0,40}
        \b(?:content|information|material|requested|(?:type|kind|sort)s?\ of)\b )
    """,
    re.IGNORECASE | re.VERBOSE,
)
_NO_MEANS = re.compile(
    r"""^[\W_]*
    (?: as\ an?\ (?:ai|(?:large\ )?language\ model)[^.!?]{0,60}?,\s* )?
    (?: (?:i'?m|i\ am)\ (?:very\ |so\ )?sorry | (?:my\ )?apologies | sorry | unfortunately )?
    [\s,.;:!-]* (?:but\s+|however,?\s+)?
    i\ (?:do\ not|don't)\ have\ (?:the\ )?(?:access|ability|capability|means|(?:enough\ )?information)\b
    [^.!?]{0,80}\b(?:complete|fulfil+|perform|request(?:ed)?|task|question|assist|help)\b
    """,
    re.IGNORECASE | re.VERBOSE,
)
_OTHER_LANGUAGES = re.compile(
    r"""^[\W_]*
    (?: (?:es\ tut\ mir\ leid|leider|entschuldigung)?[\s,.;!]*(?:aber\s+)?
        (?:ich\ kann|kann\ ich)\ (?:(?:ihnen|dir|euch)\ )?(?:leider\ )?(?:(?:bei|mit)\ )?
        (?:dieser|diese|dabei|damit|diesem|dem)\b[^.!?]{0,40}\bnicht\s+
        (?:weiter)?(?:helfen|behilflich|nachkommen|beantworten|bearbeiten|erfüllen|unterstützen)\b
      | (?:je\ suis\ )?(?:vraiment\ )?(?:désolée?|desole)[\s,.;!]*(?:mais\s+)?
        je\ ne\ (?:peux|puis)\ pas\ (?:vous\ )?(?:aider|répondre|traiter|fournir\ ce)
      | lo\ siento[\s,.;!]*(?:pero\s+)?no\ puedo\ (?:ayudar|cumplir|responder|procesar|atender)
      | mi\ dispiace[\s,.;!]*(?:ma\s+)?non\ posso\ (?:aiutar|risponder|soddisfar|completar)
      | (?:desculpe|sinto\ muito|lamento)[\s,.;!]*(?:mas\s+)?(?:eu\s+)?não\ posso\ (?:ajudar|atender|responder|cumprir)
      | (?:sorry|het\ spijt\ me)[\s,.;!]*(?:maar\s+)?(?:ik\ kan|kan\ ik)\b[^.!?]{0,40}
        \bniet\ (?:helpen|voldoen|beantwoorden)
      | (?:извините|простите|к\ сожалению)[\s,.;!]*(?:но\s+)?я\ не\ могу\ (?:(?:вам\ )?помочь|выполнить|ответить)
      | (?:很|非常)?(?:抱歉|遗憾|对不起)[，,。！\s]*(?:但)?我?(?:无法|不能|没有办法)
        (?:为您|帮您)?(?:完成|提供|协助|帮助|回答|满足|处理)[^。！？]{0,12}[。！]?
      | 申し訳(?:ございません|ありません)[がけれど、。]*[^。]{0,30}(?:でき|いたしかね|お応えし)
    )
    """,
    re.IGNORECASE | re.VERBOSE,
)
_GOES_ON = re.compile(
    r"\b(?:but|however|instead)\b[^.!?]{0,20}\b(?:here|below|following|the answer)\b|\n\s*(?:[-*]|\d+[.)])\s",
    re.IGNORECASE,
)
_ABOUT_REFUSING = re.compile(
    r"refus|declin|apolog|sorry|reject|excuse|turn(?:ing|s|ed)? down|say(?:ing|s)? no|can(?:no|')t help|unable to help"
    r"|dialog|script|role.?play|customer (?:service|support)|ablehn|absage|repeat|verbatim|quot(?:e|ing)"
    r"|rechaz|disculp|rifiut|отказ|извин|拒绝|婉拒|道歉|客服|断り",
    re.IGNORECASE,
)
_SOURCE = re.compile(r"[:\"\u201c\u201e\u00ab\n]")
"""A prompt with the text to translate: that text may be what refuses."""


def refusal(task: Task, reply: Reply) -> Iterator[Defect]:
    """Forbid a short answer that begins with a refusal, unless the task is about one."""
    text = reply.text.strip().replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")
    if wants_json(task) or task.output == "code" or len(text) > MAX_CHARS:
        return
    translates = task.kind == "translation" or "translat" in prompt_excerpt(task).lower()
    if translates and _SOURCE.search(prompt_excerpt(task)):
        return
    if _ABOUT_REFUSING.search(prompt_excerpt(task)) or _GOES_ON.search(text):
        return
    if _OPENING.match(text) or _NO_MEANS.match(text) or _OTHER_LANGUAGES.match(text):
        yield Defect(part="answer", problem="it refuses instead of doing the task; do the part of it that can be done")
