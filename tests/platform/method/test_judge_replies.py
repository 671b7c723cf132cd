"""Replies of judges, as they are written, and what a careful reader takes from them."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comd_platform.method.judging import parse_scores
from comd_platform.method.judging.grammar import CLEANING

# (reply, scores of the first and the second answer; None where there are none, or several readings)
Case = tuple[str, tuple[float, float] | None]

ASKED_FOR: list[Case] = [
    ("8 9", (8, 9)),
    ("8 9\nBoth are fine.", (8, 9)),
    ("\n\n  8.5 9.0 \n\nAssistant 1 deserves a 3.", (8.5, 9)),
    ("8, 9", (8, 9)),
    ("8,9", (8, 9)),
    ("8;9", (8, 9)),
    ("8 and 9", (8, 9)),
    ("8 & 9", (8, 9)),
    ("8/10 9/10", (8, 9)),
    ("8/10, 9/10", (8, 9)),
    ("8/10 and 9/10", (8, 9)),
    ("8 out of 10 and 9 out of 10", (8, 9)),
    ("(8, 9)", (8, 9)),
    ("[8, 9]", (8, 9)),
    ("[[8]] [[9]]", (8, 9)),
    ("[[8]], [[9]]", (8, 9)),
    ("**8 9**", (8, 9)),
    ("**8** **9**\nBecause ...", (8, 9)),
    ("`8 9`", (8, 9)),
    ("*8* *9*", (8, 9)),
    ('"8 9"', (8, 9)),
    ("### 8 9", (8, 9)),
    ("8 9.", (8, 9)),
    ("8\t9", (8, 9)),
    ("| 8 | 9 |", (8, 9)),
    ("Scores: 8 9\nThe first ...", (8, 9)),
    ("Score: 8, 9", (8, 9)),
    ("Rating: [[8]] [[9]]", (8, 9)),
    ("Ratings: 8/10, 9/10", (8, 9)),
    ("Output: (8, 9)", (8, 9)),
    ("Assistant 1, Assistant 2: 8, 9", (8, 9)),
    ("Assistant 2, Assistant 1: 9, 8", (8, 9)),
    ("Scores for Assistant 1 and Assistant 2: 8 9", (8, 9)),
    ("0 8", (0, 8)),
    ("0 0\nBoth are empty.", (0, 0)),
    ("11 9", (11, 9)),
    ("85 90", (85, 90)),
    ("10 10", (10, 10)),
    ("8,5 9,0", (8.5, 9)),
    ("8,5 9", (8.5, 9)),
    ("\uff18 \uff19", (8, 9)),
    ("<s> 8 9</s>", (8, 9)),
    ("8 9<|im_end|>", (8, 9)),
    ("<think>Assistant 1: 3, Assistant 2: 4. Hmm, no.</think>\n8 9", (8, 9)),
    ("8 9 Assistant 1 gave a correct answer.", (8, 9)),
    ("8 9. Assistant 1 gave a correct answer with 3 details.", (8, 9)),
    ("8, 9 because the second is more detailed", (8, 9)),
    ("8 9 - the second is more detailed", (8, 9)),
    ("8\n9", (8, 9)),
    ("8\n9\nThe second is better.", (8, 9)),
    ("8/10\n9/10", (8, 9)),
    ("A: 8\nB: 9", (8, 9)),
    ("A: 8, B: 9", (8, 9)),
    ("B: 9\nA: 8\nBecause ...", (8, 9)),
    ("1. 8/10\n2. 9/10\n\nReasons ...", (8, 9)),
    ("(A) 8\n(B) 9", (8, 9)),
]

LABELLED: list[Case] = [
    ("Assistant 1 - 8\nAssistant 2 - 9", (8, 9)),
    ("Assistant 1 \u2013 8/10\nAssistant 2 \u2014 9/10", (8, 9)),
    ("Assistant 1 -> 8\nAssistant 2 \u2192 9", (8, 9)),
    ("Assistant 1 > Assistant 2\n8 6", (8, 6)),
    ("Score: 8 (Assistant 1), 9 (Assistant 2)", (8, 9)),
    ("9/10 (Assistant 2)\n8/10 (Assistant 1)", (8, 9)),
    ("Score (Assistant 1): 8\nScore (Assistant 2): 9", (8, 9)),
    ("Answer A: 8.0 | Answer B: 9.0", (8, 9)),
    ("Assistant 1: 8; Assistant 2: 9", (8, 9)),
    ("Assistant 1: 8 points\nAssistant 2: 9 points", (8, 9)),
    ("Assistant 1: 8.\nAssistant 2: 9.", (8, 9)),
    ("Assistant1:8 Assistant2:9", (8, 9)),
    ("Assistant 1 : 8 / 10\nAssistant 2 : 9 / 10", (8, 9)),
    ("Assistant 1 10/10, Assistant 2 1/10", (10, 1)),
    ("Assistant 1: 8 (accuracy: 7, detail: 9)\nAssistant 2: 9 (accuracy: 9)", (8, 9)),
    ("<Assistant 1>: 8\n<Assistant 2>: 9", (8, 9)),
    ("My ratings: first answer 8/10, second answer 9/10", (8, 9)),
    ("Based on these criteria I assign:\n\nAssistant 1: **8**\nAssistant 2: **9**", (8, 9)),
    ("Assistant 1: 8/10\nAssistant 2: 9/10", (8, 9)),
    ("Assistant 2: 9/10\nAssistant 1: 7/10", (7, 9)),
    ("Assistant 1: 8, Assistant 2: 9", (8, 9)),
    ("Assistant A: 8\nAssistant B: 9", (8, 9)),
    ("assistant a: 8\nassistant b: 9", (8, 9)),
    ("Answer 1: 8\nAnswer 2: 9", (8, 9)),
    ("Response A - 8/10\nResponse B - 9/10", (8, 9)),
    ("Model 1 = 8\nModel 2 = 9", (8, 9)),
    ("**Assistant 1**: 8/10\n**Assistant 2**: 9/10", (8, 9)),
    ("**Assistant 1:** 8\n**Assistant 2:** 9", (8, 9)),
    ("- Assistant 1: 8\n- Assistant 2: 9", (8, 9)),
    ("* **Assistant 1**: 8 \n* **Assistant 2**: 9", (8, 9)),
    ("1. Assistant 1: 8\n2. Assistant 2: 9", (8, 9)),
    ("## Assistant 1\n8/10\n## Assistant 2\n9/10", (8, 9)),
    ("Assistant 1:\n8\n\nAssistant 2:\n9", (8, 9)),
    ("[Assistant 1] Score: 8\n[Assistant 2] Score: 9", (8, 9)),
    ("Assistant 1 Score: 8\nAssistant 2 Score: 9", (8, 9)),
    ("Assistant 1's score: 8\nAssistant 2's score: 9", (8, 9)),
    ("Score for Assistant 1: 8\nScore for Assistant 2: 9", (8, 9)),
    ("Score of Assistant 2: 9\nScore of Assistant 1: 8", (8, 9)),
    ("Score 1: 8\nScore 2: 9", (8, 9)),
    ("Score A: 8, Score B: 9", (8, 9)),
    ("Assistant 1 (8/10): good\nAssistant 2 (9/10): better", (8, 9)),
    ("Assistant 1 (score: 8): good\nAssistant 2 (score: 9): better", (8, 9)),
    ("First answer: 8\nSecond answer: 9", (8, 9)),
    ("First: 8, Second: 9", (8, 9)),
    ("The second answer: 9\nThe first answer: 8", (8, 9)),
    ("Assistant 1: 8 - names the 3 cats\nAssistant 2: 9 - names 2 more", (8, 9)),
    ("Assistant 1: 8 (3 details are missing)\nAssistant 2: 9 (all of the 5 details)", (8, 9)),
    ("Assistant 1: 8 out of 10\nAssistant 2: 9 out of 10", (8, 9)),
    ("Assistant 1: 7.5/10.0\nAssistant 2: 8.5/10.0", (7.5, 8.5)),
    ("Assistant 1: 0/10\nAssistant 2: 9/10", (0, 9)),
    ("assistant_1: 8\nassistant_2: 9", (8, 9)),
    ("Assistant_1_score: 8\nAssistant_2_score: 9", (8, 9)),
    ("<assistant_1>8</assistant_1><assistant_2>9</assistant_2>", (8, 9)),
    ("<score1>8</score1>\n<score2>9</score2>", (8, 9)),
    ("Assistant\uff11\uff1a8\nAssistant\uff12\uff1a9", (8, 9)),
    ("Score: 8\nGood.\n\nScore: 9\nBetter.", (8, 9)),
    ("Assistant 1:\nScore: 5/10\nStrengths: ...\n\nAssistant 2:\nScore: 9/10\n", (5, 9)),
    (
        "Assistant 1\n- Usefulness: 8\n- Accuracy: 7\n- Overall score: 7.5\n\n"
        "Assistant 2\n- Usefulness: 9\n- Accuracy: 8\n- Overall score: 8.5",
        (7.5, 8.5),
    ),
    (
        "Assistant 1: 8/10 for accuracy score\n\nFinal scores:\nAssistant 1: "
        "6/10\nAssistant 2: 9/10",
        (6, 9),
    ),
    ("Final Scores: (Assistant 1: 3/10, Assistant 2: 9/10)", (3, 9)),
    ("Here is the evaluation.\n\nFinal score:\n- Assistant 1: 8\n- Assistant 2: 9", (8, 9)),
    ("{'assistant_1': 8, 'assistant_2': 9}", (8, 9)),
]

PROSE: list[Case] = [
    ("Assistant 2 and Assistant 1 both get scores, 9 and 8 respectively.", (8, 9)),
    ("I would rate the first answer as 8 and the second as 9.", (8, 9)),
    ("For Assistant 1, I'd give an 8. For Assistant 2, I'd give a 9.", (8, 9)),
    ("My score for Assistant 1 is 8, for Assistant 2 it is 9.", (8, 9)),
    (
        "Assistant 1 would receive a rating of 8, as it is exact. Assistant 2 "
        "would receive 6 as it errs.",
        (8, 6),
    ),
    ("Answer 1 is rated 8 and answer 2 is rated 9.", (8, 9)),
    ("Assistant 1 earns 8/10 whereas Assistant 2 earns only 5/10.", (8, 5)),
    ("A score of 8 is given to Assistant 1, and 9 to Assistant 2.", (8, 9)),
    ("I'd score them a 7 and an 8 respectively.", (7, 8)),
    ("The truth is 4. Assistant 1 said 5 and gets a 2. Assistant 2 said 4 and gets a 9.", (2, 9)),
    (
        "Both are good, but Assistant 1, being concise and well written, gets "
        "an 8 and Assistant 2 gets a 9.",
        (8, 9),
    ),
    ("Assistant 1 and Assistant 2 both get an 8.", (8, 8)),
    ("Score: 8/10 for both assistants.", (8, 8)),
    ("10 out of 10 for Assistant 1. 9.5 out of 10 for Assistant 2.", (10, 9.5)),
    (
        "I would give Assistant 1 a score of 4 out of 10 and Assistant 2 a score of 8 out of 10.",
        (4, 8),
    ),
    ("I would rate Assistant 1 an 8 and Assistant 2 a 9.", (8, 9)),
    ("Assistant 1 gets a score of 8 out of 10. It is good. Assistant 2 receives 9.", (8, 9)),
    ("Assistant 2 receives a 9, while Assistant 1 receives a 7.", (7, 9)),
    ("The second answer deserves a 9; the first answer deserves a 7.", (7, 9)),
    ("I give a 9 to Assistant 2 and a 7 to Assistant 1.", (7, 9)),
    ("A score of 8 for Assistant 1 and 9 for Assistant 2.", (8, 9)),
    ("8/10 for the first answer, 9/10 for the second answer", (8, 9)),
    ("I'd award 8 points to the first assistant and 9 points to the second.", (8, 9)),
    ("The first gets 8/10. The second gets 9/10.", (8, 9)),
    ("The scores for Assistant 1 and Assistant 2 are 3 and 9, respectively.", (3, 9)),
    ("The scores for Assistant 2 and Assistant 1 are 9 and 3, respectively.", (3, 9)),
    ("Assistants 1 and 2 receive scores of 8 and 9 respectively.", (8, 9)),
    ("Assistant 1 and 2 receive 8 and 9, respectively.", (8, 9)),
    ("Both assistants receive a score of 8.", (8, 8)),
    ("I give both Assistant 1 and Assistant 2 a score of 10.", (10, 10)),
    ("I would give them 8/10 each.", (8, 8)),
    ("The scores are 8 and 9.", (8, 9)),
    ("The image shows a cat. I would rate them 8 and 9, respectively.", (8, 9)),
    ("After comparing, my verdict: 8 out of 10 and 9 out of 10.", (8, 9)),
    ("Assistant 1's score is 10. Assistant 2's score is 7.", (10, 7)),
    ("Assistant 1 scores 8 and Assistant 2 scores 9.", (8, 9)),
    ("Assistant 1 scored an 8, Assistant 2 scored a 9.", (8, 9)),
    ("Compared to Assistant 1, Assistant 2 gets a 9. Assistant 1 gets a 7.", (7, 9)),
    ("Assistant 1 gets eight out of ten and Assistant 2 nine out of ten.", (8, 9)),
    ("I give Assistant 1 a score of eight and Assistant 2 a score of nine.", (8, 9)),
    ("On a scale of 1 to 10, Assistant 1 gets a 7 and Assistant 2 an 8.", (7, 8)),
    ("On a scale from 1-10, I rate Assistant 1 a 7 and Assistant 2 an 8.", (7, 8)),
    ("Assistant 1's response is a solid 8/10. Assistant 2's response is a perfect 10/10.", (8, 10)),
    (
        "Assistant 1 is vague. I would give it a score of 5.\n\nAssistant 2 is "
        "exact. I would give it a score of 9.",
        (5, 9),
    ),
    (
        "Assistant 1 would get an 8 for naming 3 of the 5 objects, and "
        "Assistant 2 a 6 for naming 2.",
        (8, 6),
    ),
    (
        "Overall, I would assign a score of 7 to Assistant 1 and a score of 8 to Assistant 2.",
        (7, 8),
    ),
]

LATE: list[Case] = [
    ("olaf . 9 2", (9, 2)),
    ("Olaf. 9 2", (9, 2)),
    ("It is red.\n9 2", (9, 2)),
    ("Sure, here are the scores:\n8 9\nThe second is better.", (8, 9)),
    ("The distance from (2, -2) to (10, 4) is 10.\n\nOutput: (3, 9)", (3, 9)),
    ("The points (2, 3) and (4, 5) are shown.\n(8, 9)", (8, 9)),
    ("x = 5.\nThe output tuple is (10, 4).", (10, 4)),
    ("Assistant 1: 5\nAssistant 2: 10\nThe truth is 10.\n\nOutput: (2, 9)", (2, 9)),
    ("In 2019 and 2020 things changed.\nScores: 8 9", (8, 9)),
    ("1. Look at the image.\n2. Compare.\n\nFinal scores: 8, 9", (8, 9)),
    ("Question: what is 2 + 3?\nThe first says 5.\nRatings: 9 and 2", (9, 2)),
    ("Assistant 2 Assistant 1\n9 8", (8, 9)),
    ("My evaluation:\n\n**Scores:** 8, 9", (8, 9)),
]

OBJECTS: list[Case] = [
    ('{"assistant_1": 8, "assistant_2": 9}', (8, 9)),
    ('{"assistant_2": 9, "assistant_1": 8}', (8, 9)),
    ('```json\n{\n  "assistant_1": 8.5,\n  "assistant_2": 9\n}\n```', (8.5, 9)),
    ('Here:\n{"score_a": "8/10", "score_b": "9/10", "winner": "B"}', (8, 9)),
    ('{"scores": [8, 9], "reason": "2 of 3"}', (8, 9)),
    ('{"scores": {"A": 8, "B": 9}}', (8, 9)),
    (
        '{"Assistant 1": {"score": 8, "comment": "3/10 is too low"}, "Assistant 2": {"score": 9}}',
        (8, 9),
    ),
    ('[{"assistant": 2, "score": 9}, {"assistant": 1, "score": 8}]', (8, 9)),
    ('{"reason": "A first", "first": 8, "second": 9}', (8, 9)),
    ('{"1": 8, "2": 9}', (8, 9)),
    ('{"assistant_1": 8}', None),
    ('{"assistant_1": 8, "assistant_2": null}', None),
    (
        '{"assistant_1": {"accuracy": 8, "detail": 7}, "assistant_2": {"accuracy": 9, "detail": 9}}',
        None,
    ),
]

TABLES: list[Case] = [
    ("| Assistant | Score |\n|---|---|\n| Assistant 1 | 8 |\n| Assistant 2 | 9 |", (8, 9)),
    ("| Assistant | Score |\n|---|---|\n| Assistant 2 | 9/10 |\n| Assistant 1 | 8/10 |", (8, 9)),
    (
        "| | Assistant 1 | Assistant 2 |\n|---|---|---|\n| Accuracy | 8 | 7 "
        "|\n| **Overall** | 8 | 9 |",
        (8, 9),
    ),
    ("| Assistant 1 | Assistant 2 |\n|:-:|:-:|\n| 8 | 9 |", (8, 9)),
    ("| Assistant 2 | Assistant 1 |\n|:-:|:-:|\n| 9 | 8 |", (8, 9)),
    (
        "| | Assistant 1 | Assistant 2 |\n|---|---|---|\n| Accuracy | 8 | 7 |\n| Detail | 8 | 9 |",
        None,
    ),
    (
        "| Model | Accuracy | Overall |\n|---|---|---|\n| Model A | 3 | 8 |\n| Model B | 4 | 9 |",
        (8, 9),
    ),
]

NOTHING: list[Case] = [
    ("Assistant 1: 8 9\nAssistant 2: 7 6", None),
    ("Assistant 1 vs Assistant 2\nScore: 8", None),
    ("Assistant 1 shows 3/10 of the pie, Assistant 2 shows 4/10 of the pie.", None),
    ("Assistant 1's answer has both 3 cats and 4 dogs, score 8.", None),
    ("Assistant 1 gets a lower score than Assistant 2, 6 versus 8.", None),
    ("Assistant 2 is better (9 vs 7).", None),
    ("Assistant 1 got the count of 3 right, Assistant 2 got 4.", None),
    ("Total: Assistant 1: 32/40, Assistant 2: 35/40", None),
    ("Assistant 1: Usefulness 8, Relevance 9\nAssistant 2: Usefulness 7, Relevance 6", None),
    ("Assistant 1's answer is better than Assistant 2's, so a score of 8.", None),
    ("", None),
    ("   \n\n", None),
    ("I'm sorry, but I cannot compare these answers.", None),
    ("8", None),
    ("8/10", None),
    ("8/9", None),
    ("7-8", None),
    ("8 9 7", None),
    ("8, 9, 7", None),
    ("2019 2020", None),
    ("(2, -2)", None),
    ("The endpoints are (2, -2) and (10, 4).", None),
    ("The cat is at (2, 3).", None),
    ("Assistant 1: 8/10", None),
    ("Assistant 1: 8/10\nAssistant 2: cannot be judged", None),
    ("Assistant 1: 8\nAssistant 1: 9", None),
    ("Assistant 1: 4/5\nAssistant 2: 5/5", None),
    ("Assistant 1: 80%\nAssistant 2: 90%", None),
    ("Assistant 1: 80/100\nAssistant 2: 90/100", None),
    ("Assistant 1: 7-8\nAssistant 2: 8-9", None),
    ("Assistant 1 gets 7 or 8, Assistant 2 gets 9.", None),
    ("Assistant 1: 39\nAssistant 2: 40", None),
    ("Assistant 1 says 5. Assistant 2 says 7.", None),
    ("Assistant 1 names 3 cats and Assistant 2 names 4 cats.", None),
    ("Assistant 1: 3 cats\nAssistant 2: 4 cats", None),
    ("1. Look at the image.\n2. Compare the answers.", None),
    ("1. The first step is right.\n2. So is the second.\n3. Done.", None),
    ("On a scale of 1 to 10, both are good.", None),
    ("Please rate from 1 to 10.", None),
    ("There are 3 cats and 5 dogs.", None),
    ("The answer is 42.", None),
    ("Assistant 1 is better than Assistant 2 by 2 points.", None),
    ("Assistant 2 is better.", None),
    ("A: 3\nB: 5\nC: 7\nD: 9", None),
    ("Teacher: 8, Student: 7", None),
    ("Usefulness: 8/10\nRelevance: 9/10\nAccuracy: 8/10\nDetail: 7/10", None),
    ("Assistant 1 uses step 3 and Assistant 2 uses step 4.", None),
    ("2 3 cats are there", None),
    ("1 2\n3 4", None),
    ("The scores are 8 and 9. No, the scores are 7 and 9.", None),
    ("Assistant 1: 8/10, Assistant 2: 9/10\n\nOutput: (9, 8)", None),
    ("Score: 8", None),
    ("Score: 8\nScore: 9\nScore: 7", None),
    ("12:30 14:45", None),
    ("f(2) = 5(2)^3 - 2(2) + 3 = 39", None),
]

# Written after the reader was: 46 of these 50 were read at the first touch, none wrongly.
UNSEEN: list[Case] = [
    (
        "### Evaluation\n\n**Assistant 1 (Score: 7/10)**\n- Strengths: mentions "
        "the dog.\n- Weaknesses: misses 2 of 3 people.\n\n**Assistant 2 (Score: "
        "9/10)**\n- Strengths: all 3 people.",
        (7, 9),
    ),
    (
        "Looking at the image, I can see 2 dogs and 3 cats.\n\nAssistant 1 says "
        "there are 2 dogs (correct) and 4 cats (incorrect). Score: "
        "6\n\nAssistant 2 says there are 2 dogs and 3 cats. Score: 10",
        (6, 10),
    ),
    (
        "Assistant 1: **7**\n\nAssistant 2: **8**\n\nAssistant 1's answer was good "
        "but lacked 2 details.",
        (7, 8),
    ),
    ("Rating for Assistant 1: 7\nRating for Assistant 2: 8\nExplanation: ...", (7, 8)),
    ("7 8\n\nAssistant 1: I gave 7 because ... Assistant 2: I gave 8", (7, 8)),
    (
        "The first assistant's answer scores a 6 on a scale of 1-10, while the "
        "second one scores 9.",
        (6, 9),
    ),
    ("I'd say 7/10 for Assistant 1 and 9/10 for Assistant 2.", (7, 9)),
    ("Score:\nAssistant 1: 7\nAssistant 2: 9", (7, 9)),
    ("Assistant 1 = 7, Assistant 2 = 9", (7, 9)),
    ("[7, 9]\nExplanation", (7, 9)),
    ("Scores: [7, 9]", (7, 9)),
    ("Scores: {7, 9}", (7, 9)),
    ("```\n7 9\n```\nExplanation: ...", (7, 9)),
    ("7.0, 9.5\nThe...", (7, 9.5)),
    ("Final Verdict: [[A]]", None),
    ("Assistant A is better. [[A]]\n\nA: 9/10, B: 6/10", None),
    ("Both answers deserve 8/10.", (8, 8)),
    ("Assistant 1: 9/10 - correct\nAssistant 2: N/A", None),
    ("My scores: Assistant 1 \u2013 7; Assistant 2 \u2013 9.", (7, 9)),
    (
        "Assistant 1's answer gets 7 out of a possible 10 points, Assistant "
        "2's gets 9 out of a possible 10.",
        (7, 9),
    ),
    ("The total for Assistant 1 is 28/40 and for Assistant 2 36/40, thus 7/10 and 9/10.", None),
    ("Usefulness: A1 8, A2 7. Overall: 8 7", None),
    ("Assistant 1 | 7\nAssistant 2 | 9", (7, 9)),
    ("Assistant 1 score is 7\nassistant 2 score is 9", (7, 9)),
    ("I rate Assistant 1's response 7 and Assistant 2's response 9.", (7, 9)),
    ("I rate them equally: 8 and 8.", (8, 8)),
    ("Answer 1 gets 7, answer 2 gets 9, so answer 2 wins by 2.", (7, 9)),
    ("Scores:\n1. Assistant 1: 7/10\n2. Assistant 2: 9/10", (7, 9)),
    ("Evaluation results - Assistant 1: 7 | Assistant 2: 9", (7, 9)),
    ("Assistant 1: Score 7\nAssistant 2: Score 9", (7, 9)),
    (
        "Assistant 1 - Score: 7 - the answer names 3 items\nAssistant 2 - "
        "Score: 9 - it names 5 items",
        (7, 9),
    ),
    (
        "The answer of Assistant 1 is worth 7 points; that of Assistant 2 is worth 9 points.",
        (7, 9),
    ),
    ("In the image 4 people sit at 2 tables. 6 8", (6, 8)),
    ("4 people sit at 2 tables\n6 8\n", (6, 8)),
    ("I would give both of them an 8.", (8, 8)),
    ("Score: 6 for Assistant 1, and 8 for Assistant 2", (6, 8)),
    ("Assistant 2 (9/10) outperforms Assistant 1 (6/10).", (6, 9)),
    ("Assistant 2 outperforms Assistant 1, 9 to 6.", None),
    (
        "Since the question asks for 3 items, and Assistant 1 lists only 2, "
        "Assistant 1 gets a 5. Assistant 2 lists all 3, so it gets a 10.",
        (5, 10),
    ),
    ("1: 7\n2: 9", (7, 9)),
    ("Assistant 1 rating: 7/10\nAssistant 2 rating: 9/10\nDifference: 2/10", (7, 9)),
    ("Response 1 Score \u2013 7\nResponse 2 Score \u2013 9", (7, 9)),
    ("The score for the first response is 7. The score for the second response is 9.", (7, 9)),
    ("I assign 7 and 9 to Assistant 1 and Assistant 2, respectively.", (7, 9)),
    ("I assign 9 and 7 to Assistant 2 and Assistant 1, respectively.", (7, 9)),
    ("7 (Assistant 1)\n9 (Assistant 2)", (7, 9)),
    ("Assistant 1: 7\n\n(because 3 of 4 details are right)\n\nAssistant 2: 9\n\n(all 4)", (7, 9)),
    ("Option A: 7, Option B: 9", None),
    ("Assistant one: 7\nAssistant two: 9", (7, 9)),
    ("the scores are: assistant 1 - 7.5, assistant 2 - 8.5", (7.5, 8.5)),
]

DATA = Path(__file__).resolve().parents[4] / "shared" / "data"


@pytest.mark.parametrize(
    ("reply", "expected"),
    [*ASKED_FOR, *LABELLED, *PROSE, *LATE, *OBJECTS, *TABLES, *NOTHING, *UNSEEN],
    ids=lambda value: value[:40] if isinstance(value, str) else "",
)
def test_a_reply_is_read_as_a_careful_reader_does(
    reply: str, expected: tuple[float, float] | None
) -> None:
    assert parse_scores(reply) == expected


@pytest.mark.skipif(not DATA.is_dir(), reason="the real judge replies are not on this machine")
def test_every_real_reply_is_read() -> None:
    with (DATA / "judge" / "judge_outputs.jsonl").open(encoding="utf-8") as lines:
        replies = [json.loads(line) for line in lines]
    assert len(replies) == 1621
    read = [parse_scores(reply["text"]) for reply in replies]
    expected = [tuple(reply["expected"]) if reply["expected"] else None for reply in replies]
    assert read == expected


@pytest.mark.skipif(not DATA.is_dir(), reason="the real reviews are not on this machine")
def test_every_llava_bench_review_is_read() -> None:
    path = DATA / "llava" / "llava_bench_wild_llava-v1.5-7b-eval1.jsonl"
    reviews = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert len(reviews) == 60
    for review in reviews:
        assert parse_scores(review["content"]) == tuple(review["tuple"])


score = st.one_of(st.integers(0, 10), st.integers(0, 20).map(lambda halves: halves / 2))


@given(
    first=score,
    second=score,
    form=st.sampled_from(
        [
            "{0} {1}\nReasons follow.",
            "Assistant 1: {0}/10\nAssistant 2: {1}/10",
            "Assistant 2: {1}\nAssistant 1: {0}",
            "I give the second answer a score of {1} and the first answer a score of {0}.",
            "A point lies at (2, -2).\n\nOutput: ({0}, {1})",
            '{{"assistant_2": {1}, "assistant_1": {0}}}',
            "olaf . {0} {1}",
            "| | Assistant 1 | Assistant 2 |\n|---|---|---|\n| Score | {0} | {1} |",
        ]
    ),
)
def test_any_scores_are_read_in_any_form(first: float, second: float, form: str) -> None:
    assert parse_scores(form.format(first, second)) == (first, second)


@given(st.text(max_size=200))
def test_no_text_makes_it_fail(text: str) -> None:
    parsed = parse_scores(text)
    assert parsed is None or all(isinstance(value, float) for value in parsed)


@given(st.text(alphabet='Assistant 12:/0(){}[]|.,-\n"score', max_size=120))
def test_no_text_of_its_own_alphabet_makes_it_fail(text: str) -> None:
    parsed = parse_scores(text)
    assert parsed is None or all(0 <= value <= 100 for value in parsed)


REPEATED = [
    "8 ", "8", "(", "[{", '{"a":', "Assistant 1 ", "Assistant 1: 8/10\n",
    "8/10 ", "*a", "1,", "1,000",
    "between 1 and ", "a score of 8 ", "Assistant 1 and Assistant 2 ", "8|", "\n8", "8 for both ",
    "8 (", "<a", "eight ", "8 out of ", " ", "a_", "8 and ",
]  # fmt: skip


@pytest.mark.timeout(60)
@pytest.mark.parametrize("unit", REPEATED)
def test_100_kb_of_repetition_come_to_an_end(unit: str) -> None:
    """About a second each while the reader is linear; a quadratic one runs into the time limit."""
    reply = "Assistant 1: 8/10. " + unit * (100_000 // len(unit))
    parsed = parse_scores(reply)
    assert parsed is None or all(0 <= value <= 100 for value in parsed)


@pytest.mark.parametrize(("sign", "pattern"), [rule[:2] for rule in CLEANING if rule[0]])
@given(st.data())
def test_a_cleaning_rule_is_left_out_only_where_it_would_find_nothing(
    sign: str, pattern: re.Pattern[str], data: st.DataObject
) -> None:
    assert sign in data.draw(st.from_regex(pattern))
