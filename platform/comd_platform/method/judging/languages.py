"""Judges that answer in another language: their words for answers, scores and scales, in English.

Only the handful of words that a score hangs on; what a judge says about the answers stays as it is.
Two tables, since a language that is written without spaces has no word boundaries.
"""

from __future__ import annotations

import re
from typing import Final

_WORDS: Final = {
    "assistant": (
        "assistent assistenten asistente assistente ассистент ассистента ассистенту ассистентом "
        "помощник помощника помощнику помощником"
    ),
    "answer": "antwort respuesta réponse resposta risposta ответ ответа ответу",
    "score": (
        "bewertung bewertungen punktzahl punktzahlen puntuacion puntuaciones puntuación "
        "puntuaciónes calificacion calificaciones calificación calificaciónes puntaje pontuação "
        "punteggio punteggi оценка оценки оценку"
    ),
    "receives": (
        "erhält bekommt verdient recibe obtiene merece obtient reçoit mérite recebe ottiene "
        "получает заслуживает"
    ),
    "points": "punkte puntos pontos punti балл балла баллов",
    "a": "una eine einen une uma",
    "and": "und et и",
    "first": (
        "erste erster ersten premier premiere première premièr primera primeira prima первый первому"
    ),
    "second": "zweite zweiter zweiten deuxieme deuxième segunda seconda второй второму",
}
_ENGLISH: Final = {word: name for name, listed in _WORDS.items() for word in listed.split()}
# Without one of these, too, none of the patterns for little words below finds anything.
_LITTLE: Final = "de von di da du sur su из y e le la el der die das dem den o il"
_FOREIGN: Final = frozenset((*_ENGLISH, *_LITTLE.split()))
_WORD: Final = re.compile(r"\b[^\W\d_]+\b")
_UNSPACED: Final = {
    "assistant": "助手|助理|アシスタント|어시스턴트|도우미",
    "answer": "回答|答案|回复|模型|답변|응답",
    "overall": "总体|综合|最终|總體|総合|종합|최종",
    "score": "评分|得分|分数|打分|評分|分數|スコア|得点|評価|评价|점수|평점",
    "receives": "获得|得到|得|打",
    "first": "第一(?:个|個)?",
    "second": "第二(?:个|個)?",
    "is": "是|为|為|は|的|の|의",
    "and": "和|与|と",
}
_OF_TEN: Final = re.compile(r"(?<=\d) (?:von|sur|de|su|из) 10\b")
_FULL_MARKS: Final = re.compile("满分(?:是|为)?[ :]?10 ?分?|10 ?点満点中?|10 ?점 ?만점(?:에)?")
_UNITS: Final = re.compile(r"(?<=\d) ?(?:(?:分|点|點|점)(?:です|입니다)?|です|입니다)")
_SCORE_OF: Final = re.compile(r"\bscore (?:de|von|di|da|du)\b")
_AND: Final = re.compile(r"(?<=\d) [ye] (?=[a-z])")
_ARTICLE: Final = re.compile(r"\bl'(?=(?:assistant|answer)\b)", re.IGNORECASE)
_ALL_UNSPACED: Final = re.compile(
    "|".join(f"(?P<{name}>{pattern})" for name, pattern in _UNSPACED.items())
)
# "le second", "der zweite": the article of an answer that is named by its number
_DEFINITE: Final = re.compile(
    r"\b(?:le|la|el|der|die|das|dem|den|o|il)(?= (?:first|second)\b)", re.IGNORECASE
)
_NUMERALS: Final = (  # 助手一: 8
    re.compile("(?<=助手|助理|回答|答案|回复|模型) ?一(?= ?(?:[:的是得为获(]|$))", re.MULTILINE),
    re.compile("(?<=助手|助理|回答|答案|回复|模型) ?二(?= ?(?:[:的是得为获(]|$))", re.MULTILINE),
)
_EAST_ASIAN: Final = re.compile("[\u2e80-\ud7ff]")


def in_english(text: str) -> str:
    """The text with the words that scores hang on in English. Linear in its length."""
    if not _FOREIGN.isdisjoint(_WORD.findall(text.lower())):
        text = _WORD.sub(lambda match: _ENGLISH.get(match[0].lower(), match[0]), text)
        text = _DEFINITE.sub("the", text)
        text = _OF_TEN.sub(" out of 10", text)
        text = _AND.sub(" and ", _SCORE_OF.sub("score of", text))
    if _EAST_ASIAN.search(text):
        for digit, numeral in enumerate(_NUMERALS, start=1):
            text = numeral.sub(f" {digit}", text)
        text = _FULL_MARKS.sub(" scale of 10 ", text)
        text = _UNITS.sub(" points ", text)
        text = _ALL_UNSPACED.sub(lambda match: f" {match.lastgroup} ", text)
    return _ARTICLE.sub("", text) if "'" in text else text
