"""Answer in languages other than English."""

from __future__ import annotations

import random
import re

_REQUESTED = re.compile(
    r"\b(?:in|into|to|auf|en|ins)\s+(?P<name>french|français|german|deutsch|spanish|español|italian|italiano)\b",
    re.IGNORECASE,
)
_CODES = {
    "french": "fr",
    "français": "fr",
    "german": "de",
    "deutsch": "de",
    "spanish": "es",
    "español": "es",
    "italian": "it",
    "italiano": "it",
}
_UNSUPPORTED = re.compile(
    r"\b(?:in|into|to)\s+(?:portuguese|dutch|polish|russian|ukrainian|chinese|japanese|korean|arabic|hebrew|hindi"
    r"|turkish|greek|czech|hungarian|romanian|swedish|danish|norwegian|finnish)\b",
    re.IGNORECASE,
)
UNSUPPORTED_ANSWER = "OK"
"""The answer in a language without sentences here; the word is common to all of them."""
SENTENCES = {
    "fr": (
        "Le premier pas est de choisir une question simple et de la poser clairement.",
        "Beaucoup de gens découvrent que la réponse dépend de ce qu'ils veulent vraiment.",
        "Une bonne habitude est de noter ce qui a été essayé et ce que cela a coûté.",
        "Il faut du temps pour que les résultats deviennent visibles dans la vie de tous les jours.",
        "Les exemples des voisins aident souvent plus que les longs discours.",
        "Chaque semaine apporte une petite correction qui rend la suite plus facile.",
        "Les règles anciennes ne conviennent pas toujours à une situation nouvelle.",
        "On gagne d'abord du temps, parce que les gestes répétés n'attendent plus personne.",
        "Les critiques ont raison de demander qui répond d'une erreur.",
        "Rien ne remplace une mesure faite avec soin au bon moment.",
        "Ceux qui partagent leurs résultats trouvent plus vite des partenaires.",
        "Il reste à fixer une date et à regarder honnêtement ce qui est sorti.",
    ),
    "de": (
        "Der erste Schritt ist, eine einfache Frage zu wählen und sie klar zu stellen.",
        "Viele Leute merken, dass die Antwort davon abhängt, was sie wirklich wollen.",
        "Es ist eine gute Gewohnheit, aufzuschreiben, was versucht wurde und was es gekostet hat.",
        "Es dauert eine Weile, bis die Ergebnisse im Alltag sichtbar werden.",
        "Ein Beispiel vom Nachbarn hilft oft mehr als eine lange Rede.",
        "Jede Woche bringt eine kleine Verbesserung, die das Weitere leichter macht.",
        "Alte Regeln passen nicht immer zu einer neuen Lage.",
        "Zuerst gewinnt man Zeit, weil die gleichen Handgriffe auf niemanden mehr warten.",
        "Kritiker fragen zu Recht, wer für einen Fehler einsteht.",
        "Nichts ersetzt eine sorgfältige Messung im richtigen Augenblick.",
        "Wer seine Ergebnisse teilt, findet schneller Mitstreiter.",
        "Es bleibt, einen Termin zu setzen und ehrlich anzusehen, was dabei herauskam.",
    ),
    "es": (
        "El primer paso es elegir una pregunta sencilla y hacerla con claridad.",
        "Mucha gente descubre que la respuesta depende de lo que quiere de verdad.",
        "Es una buena costumbre anotar lo que se ha probado y lo que ha costado.",
        "Hace falta tiempo para que los resultados se vean en la vida diaria.",
        "Los ejemplos de los vecinos ayudan a menudo más que los discursos largos.",
        "Cada semana trae una pequeña corrección que hace más fácil lo que sigue.",
        "Las reglas antiguas no siempre sirven para una situación nueva.",
        "Primero se gana tiempo, porque las tareas repetidas ya no esperan a nadie.",
        "Los críticos tienen razón cuando preguntan quién responde de un error.",
        "Nada sustituye a una medida hecha con cuidado en el momento justo.",
        "Quien comparte sus resultados encuentra antes a sus compañeros.",
        "Queda por fijar una fecha y mirar con honradez lo que ha salido.",
    ),
    "it": (
        "Il primo passo è scegliere una domanda semplice e porla con chiarezza.",
        "Molte persone scoprono che la risposta dipende da ciò che vogliono davvero.",
        "È una buona abitudine annotare che cosa si è provato e quanto è costato.",
        "Ci vuole tempo perché i risultati si vedano nella vita di tutti i giorni.",
        "Gli esempi dei vicini aiutano spesso più dei lunghi discorsi.",
        "Ogni settimana porta una piccola correzione che rende più facile il seguito.",
        "Le vecchie regole non vanno sempre bene per una situazione nuova.",
        "Prima si guadagna tempo, perché i gesti ripetuti non aspettano più nessuno.",
        "I critici hanno ragione quando chiedono chi risponde di un errore.",
        "Niente sostituisce una misura fatta con cura nel momento giusto.",
        "Chi condivide i suoi risultati trova prima dei compagni.",
        "Resta da fissare una data e guardare con onestà che cosa ne è venuto.",
    ),
}


def requested_language(goal_text: str) -> str | None:
    """Return the code of the last supported language that the text asks for."""
    found = [match["name"].lower() for match in _REQUESTED.finditer(goal_text)]
    return _CODES[found[-1]] if found else None


def asks_for_unsupported_language(goal_text: str) -> bool:
    """Return whether the text asks only for languages without sentences here."""
    return requested_language(goal_text) is None and _UNSUPPORTED.search(goal_text) is not None


def paragraphs_in(language: str, rng: random.Random) -> str:
    """Write two paragraphs."""
    sentences = rng.sample(SENTENCES[language], 10)
    return "\n\n".join((" ".join(sentences[:5]), " ".join(sentences[5:])))
