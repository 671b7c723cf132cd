"""Every table, under the name that a user types in psql."""

from comd_platform.tables.assessment import (
    Assessment,
    AssessmentCell,
    IterationCount,
    Judgement,
    JudgementCell,
)
from comd_platform.tables.augmentation import Augmentation, Selection
from comd_platform.tables.base import Base
from comd_platform.tables.contamination import Contamination
from comd_platform.tables.data import FileContent, Image, Instruction, Pool, PoolImage
from comd_platform.tables.evaluation import (
    Benchmark,
    Evaluation,
    EvaluationItem,
    EvaluationReview,
    EvaluationScore,
)
from comd_platform.tables.ledger import ROLES, Failure, Worker, WorkItem
from comd_platform.tables.models import Answer, AnswerLogits, Model, Prompt
from comd_platform.tables.review import HonouredReview, Review, Revision
from comd_platform.tables.runs import PHASES, Iteration, IterationPhase, Run
from comd_platform.tables.spending import Usage
from comd_platform.tables.training import Checkpoint, TrainingExample, TrainingMetric, TrainingRun

__all__ = [
    "PHASES",
    "ROLES",
    "Answer",
    "AnswerLogits",
    "Assessment",
    "AssessmentCell",
    "Augmentation",
    "Base",
    "Benchmark",
    "Checkpoint",
    "Contamination",
    "Evaluation",
    "EvaluationItem",
    "EvaluationReview",
    "EvaluationScore",
    "Failure",
    "FileContent",
    "HonouredReview",
    "Image",
    "Instruction",
    "Iteration",
    "IterationCount",
    "IterationPhase",
    "Judgement",
    "JudgementCell",
    "Model",
    "Pool",
    "PoolImage",
    "Prompt",
    "Review",
    "Revision",
    "Run",
    "Selection",
    "TrainingExample",
    "TrainingMetric",
    "TrainingRun",
    "Usage",
    "WorkItem",
    "Worker",
]
