"""The run config: every knob of the paper's section 4.1.3 with its default, declared once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    model_validator,
)

from comd_platform.config.bootstrap import BootstrapConfig
from comd_platform.config.decontamination import DecontaminationConfig
from comd_platform.config.engines import EngineConfig, HfConfig, Share
from comd_platform.config.training import Hyperparameters
from comd_platform.method.selection import MEASURES, Measure

Role = Literal["teacher", "student", "assessor", "augmentor"]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SamplingConfig(_Section):
    """How a role decodes. The paper: 0.5 for teacher, assessor and augmentor (section 4.1.3)."""

    temperature: float = Field(0.5, ge=0, description="0 is greedy.")
    top_p: float = Field(1.0, gt=0, le=1)
    max_new_tokens: PositiveInt = 512
    stop: tuple[str, ...] = ()


class RoleConfig(_Section):
    """One role: which model plays it, how it decodes, with which prompt."""

    model: EngineConfig | None = Field(None, description="Unset: the teacher's model.")
    sampling: SamplingConfig = SamplingConfig()
    prompt: Path | None = Field(
        None, description="A Jinja2 file; unset: the one shipped with comd."
    )
    system: str | None = Field(None, description="System message; unset: the chat template's own.")
    batch: PositiveInt = Field(256, description="Instructions a work item.")


class StudentConfig(RoleConfig):
    """The model being trained. Greedy by default, since the paper gives no temperature."""

    model: EngineConfig = HfConfig(model="llava-hf/llava-1.5-7b-hf")
    sampling: SamplingConfig = SamplingConfig(temperature=0.0)


class TeacherConfig(RoleConfig):
    model: EngineConfig = HfConfig(model="llava-hf/llava-1.5-13b-hf")


def _known_measure(name: str) -> str:
    if name not in MEASURES:
        raise ValueError(f"no such measure; there are: {', '.join(MEASURES)}")
    return name


class MethodConfig(_Section):
    """Competition: what counts as difficult, what is written next, what is kept (section 3.3)."""

    selection: Annotated[str, AfterValidator(_known_measure)] = Field(
        "competitive",
        description="Sources of the next pool: competitive (difficult by eq. 6 and as many easy "
        "ones: the paper), regret (the teacher did better), uncertainty (the student doubts its own "
        "answer; no judge), random (a sample of the cache pool), all of it, or none: every iteration "
        "tunes on the seed pool again.",
    )
    difficulty_threshold: Share = Field(
        0.33,
        description="tau of section 3.3.2; for uncertainty the least doubt, 1 - mean probability.",
    )
    easy_share: NonNegativeFloat = Field(
        1.0, description="Easy instructions chosen per difficult one: 1 is the paper, 0 hard only."
    )
    diversity_threshold: Share = Field(0.7, description="ROUGE-L F below which a candidate is new.")
    max_new: PositiveInt | None = Field(
        None, description="At most so many new instructions an iteration; unset: as many as come."
    )
    oversample: PositiveFloat = Field(
        1.25, ge=1, description="Sources chosen per instruction wanted, when max_new is set."
    )
    minimum_pool: NonNegativeInt = Field(
        1,
        description="A smaller new pool is not trained on: the student has caught up, or memorised.",
    )
    when_caught_up: Literal["stop", "fill"] = Field(
        "stop", description="stop: the run ends there. fill: a random sample makes up the minimum."
    )
    assess_last: bool = Field(
        True, description="Assess the last iteration too, although no pool grows from it."
    )
    judge_attempts: PositiveInt = Field(3, description="Replies asked for until one can be read.")
    augment_attempts: PositiveInt = Field(2, description="Replies until one holds an instruction.")

    @property
    def measure(self) -> Measure:
        """How sources are chosen, and what it needs to know: what is not needed is not done."""
        return MEASURES[self.selection]


class PoolConfig(_Section):
    """Which instructions an iteration tunes on (METHOD: `replace` is the paper)."""

    mode: Literal["replace", "accumulate", "replay"] = "replace"
    replay_share: Share = Field(0.25, description="replay: share of the older cache pool re-used.")
    max_turns: PositiveInt | None = Field(
        None, description="Turns a dialogue; unset: all of an image."
    )


class LedgerConfig(_Section):
    """Work items: how long a lease holds without a heartbeat, and how often to try."""

    lease_seconds: PositiveFloat = 60
    item_attempts: PositiveInt = Field(3, description="Failures until an item is split.")
    record_attempts: PositiveInt = Field(3, description="Failures until a record is quarantined.")
    quarantined_share: Share = Field(
        0.5, description="A phase that gives up on a larger share of its records stops the run."
    )


class TrainingConfig(Hyperparameters):
    """The student's tuning: hyperparameters, and the machine that runs them."""

    device: Literal["auto", "cpu", "cuda"] = "auto"
    processes: PositiveInt = Field(1, description="Ranks; one a GPU.")
    hostfile: Path | None = Field(
        None,
        description="Several machines: lines NAME slots=GPUS; replaces `processes`. Started by the "
        "deepspeed launcher, through ssh; files must be shared (docs/cluster.md).",
    )
    launcher: tuple[str, ...] = Field(
        (), description="Further words for the deepspeed launcher, such as --launcher slurm."
    )
    master_port: PositiveInt | None = Field(
        None, description="Port of the first host that the others reach; unset: a free one."
    )
    threads: PositiveInt | None = Field(None, description="CPU threads a rank.")
    timeout_seconds: PositiveFloat | None = Field(
        None, description="Kill a training that takes longer, however well it goes."
    )
    save_every_seconds: PositiveFloat | None = Field(
        600, description="Save where the training stands, to be resumed after a kill; null: never."
    )
    save_every_steps: PositiveInt | None = Field(
        None, description="Save after so many steps as well."
    )
    hang_seconds: PositiveFloat | None = Field(
        1800, description="End a training none of whose ranks has moved for so long; null: never."
    )

    def hyperparameters(self) -> Hyperparameters:
        """The part that decides the weights."""
        return Hyperparameters.model_validate(
            {name: getattr(self, name) for name in Hyperparameters.model_fields}
        )


class BenchmarkSampling(_Section):
    """How models decode on one benchmark."""

    temperature: float = Field(0.0, ge=0)
    max_new_tokens: PositiveInt = 64


class FineTuningConfig(_Section):
    """Fine-tuning on a benchmark's own train split; what is not here is as in `training`."""

    epochs: PositiveInt = 6
    max_steps: PositiveInt | None = Field(None, description="Replaces `epochs`.")
    learning_rate: PositiveFloat = 2e-5


class EvaluationConfig(_Section):
    """Held-out benchmarks (imported with `comd import benchmark`) scored after every tuning."""

    benchmarks: tuple[str, ...] = ()
    max_new_tokens: PositiveInt = 64
    temperature: float = Field(0.0, ge=0)
    sampling: dict[str, BenchmarkSampling] = Field(
        default_factory=dict,
        description="By a benchmark's name; goes over the two above and over the paper's values "
        "(ScienceQA 0.5, SEED-Bench 0.1).",
    )
    fine_tuning: FineTuningConfig = FineTuningConfig()


class RunConfig(_Section):
    """One run. The defaults are the paper's, where it gives a value."""

    name: str = Field(min_length=1, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    pool: str = Field(description="The imported root pool that the run starts from.")
    iterations: PositiveInt = 4
    seed: NonNegativeInt = 0
    teacher: TeacherConfig = TeacherConfig()
    student: StudentConfig = StudentConfig()
    assessor: RoleConfig = RoleConfig()
    augmentor: RoleConfig = RoleConfig()
    method: MethodConfig = MethodConfig()
    pools: PoolConfig = PoolConfig()
    bootstrap: BootstrapConfig | None = Field(
        None, description="For a pool of pictures alone: the augmentor writes the seed set."
    )
    training: TrainingConfig = TrainingConfig()
    evaluation: EvaluationConfig = EvaluationConfig()
    decontamination: DecontaminationConfig = DecontaminationConfig()
    ledger: LedgerConfig = LedgerConfig()

    @model_validator(mode="after")
    def _student_can_be_trained(self) -> Self:
        if self.student.model.engine == "openai":
            raise ValueError(
                "student.model: a model behind an API cannot be trained; use engine hf"
            )
        return self

    @model_validator(mode="after")
    def _objective_has_its_teacher(self) -> Self:
        objective, engine = self.training.objective, self.teacher.model
        if objective.needs_teacher and not engine.has_weights:
            raise ValueError(
                f"training.objective {objective.name} runs the teacher in the training, and the "
                f"{engine.engine} engine has no weights to load: give teacher.model engine hf or vllm"
            )
        if objective.stored_top_k is not None and not engine.tells_logits:
            raise ValueError(
                f"training.objective {objective.name} needs the teacher's logits, which the "
                f"{engine.engine} engine cannot tell: give teacher.model engine hf, or the objective "
                "teacher: in_step"
            )
        return self

    @property
    def decontaminates(self) -> bool:
        """Whether instructions are compared with benchmarks: where there are some, and unless off."""
        return self.decontamination.mode != "off" and bool(self.evaluation.benchmarks)

    def bootstraps(self, number: int) -> bool:
        """Whether iteration `number` begins with pictures alone."""
        return number == 1 and self.bootstrap is not None

    def role(self, name: Role) -> RoleConfig:
        """A role's section."""
        section: RoleConfig = getattr(self, name)
        return section

    def engine(self, name: Role) -> EngineConfig:
        """The model that plays a role; the teacher's where the role names none."""
        return self.role(name).model or self.teacher.model
