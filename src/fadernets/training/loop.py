"""One training loop for every model. The choice of device lives here alone.

Lightning Fabric gives devices, precision and processes and leaves the loop to us, whose batches hang on the step alone.
Several processes share each batch (`models.shares`), so that a run comes to the same numbers on any number of them; the
first one writes, and what it decides holds for all.

A run's folder: recipe.json, log.jsonl, tensorboard/ or what else `loggers` write, last/ and best/ (checkpoint folders).
"""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from fadernets.arrays import Floats, Indices
from fadernets.data import labels
from fadernets.data.batches import Sampler
from fadernets.data.dataset import Dataset
from fadernets.data.melody_batches import MelodySampler
from fadernets.files import recover_folder, write_atomic
from fadernets.models import shares
from fadernets.provenance import commit
from fadernets.training import checkpoints, loggers, optimizers, recipes
from fadernets.training.model_sizes import build_within
from fadernets.training.processes import Processes, started_by_torchrun
from fadernets.training.safeguards import TrainingError, refuse_nan, refuse_other_recipe, taken, writing

VALIDATION_ROWS = 4096
CHECKPOINTS = ("best", "last")  # folders of a run
FREE_BATCHES = 8  # validation batches that are decoded freely


@dataclass(frozen=True)
class Rows:
    """Which segments a run uses: indices into its data set."""

    train: Indices
    validation: Indices
    labelled: Indices


def choose_rows(data: Dataset, recipe: recipes.Recipe) -> Rows:
    """Training and validation rows, and the labelled rows: `label_share` of the training rows, by seed."""
    names = data.manifest["corpora"]
    left_out = () if recipe.reconstruct_labelled else recipe.label_corpora
    corpora = [c for c in (recipe.corpora or names) if c not in left_out]
    if not corpora:
        given = ", ".join(recipe.corpora or names)
        raise TrainingError(f"{recipe.data}: corpora {given} only give labels; none is left to reconstruct")
    train = np.concatenate([data.select(split="train", corpus=c) for c in corpora])
    if recipe.segments:
        train = np.random.default_rng(recipe.seed).permutation(train)[: recipe.segments]
    validation = np.concatenate([data.select(split="validation", corpus=c) for c in corpora])
    labelled = np.empty(0, np.int64)
    if recipe.label_share > 0:
        found = [data.select(split="train", corpus=c) for c in recipe.label_corpora if c in names]
        rows = np.concatenate(found) if found else labelled
        rows = rows[labels.classes(data, recipe.label, recipe.label_edges)[rows] >= 0]
        wanted = min(round(recipe.label_share * len(train)), len(rows))
        labelled = np.sort(np.random.default_rng(recipe.seed).permutation(rows)[:wanted])
    if len(train) < recipe.batch:
        raise TrainingError(f"{recipe.data}: {len(train)} training segments; a batch has {recipe.batch}")
    if not len(validation):
        raise TrainingError(f"{recipe.data}: has no validation segments; prepare it with more pieces")
    return Rows(np.sort(train), np.sort(validation), labelled)


def check_labels(recipe: recipes.Recipe, known: Indices) -> None:
    """Raises TrainingError where a class has no labelled training row; `known` [N] are the classes of those rows."""
    names = labels.class_names(labels.count(recipe.label_edges))
    missing = [name for k, name in enumerate(names) if k not in known]
    if missing:
        given = ", ".join(recipe.label_corpora) or "none"
        raise TrainingError(
            f"{recipe.data}: no training segment has a label of class {' or '.join(missing)} ({recipe.label}; "
            f"label_corpora: {given}; label_share: {recipe.label_share:g}); name the corpora that have it with "
            "--set label_corpora=[NAME], take more of it, or train clusters without labels with --set label_share=0"
        )


def check_device(device: str) -> None:
    """Raises TrainingError for one that is not here."""
    if device == "cuda" and not torch.cuda.is_available():
        raise TrainingError("--device cuda: no CUDA device here; use --device cpu")


def auto_precision(device: str) -> str:
    """bf16 where the machine multiplies it faster than 32 bit, else 32 bit.

    An Intel core does so by AMX alone: without it a bf16 product takes 1.3 to 1.8 times as long there (docs/lab.md).
    """
    if device == "cuda":
        return "bf16-mixed" if torch.cuda.is_bf16_supported(including_emulation=False) else "32-true"
    try:
        said = Path("/proc/cpuinfo").read_text()
    except OSError:
        return "32-true"
    fast = "amx_bf16" in said or ("avx512_bf16" in said and "GenuineIntel" not in said)
    return "bf16-mixed" if fast else "32-true"


def train(
    recipe: recipes.Recipe,
    *,
    device: str = "cpu",
    devices: int = 1,
    nodes: int = 1,
    resume: bool = True,
    logs: Sequence[str] = loggers.DEFAULT,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Train a recipe and return the folder of the best checkpoint.

    devices: processes of each of `nodes` machines; where torchrun started this one, its environment says both.
    logs: where figures go beside log.jsonl, names of `loggers.NEEDED`.
    A run whose `last` checkpoint has the same recipe goes on from there, to the same numbers as a run
    that was never stopped. Raises TrainingError where a loss is not a number: the term is named and
    the last good checkpoint stays; and FadernetsError for a folder that cannot be written, or that another run has.
    """
    from lightning.fabric import Fabric

    check_device(device)
    loggers.check(logs)
    data = Dataset.open(Path(recipe.data))
    precision = auto_precision(device) if recipe.precision == "auto" else recipe.precision
    devices, nodes = started_by_torchrun() or (devices, nodes)
    strategy = "ddp" if devices * nodes > 1 else "auto"
    fabric = Fabric(accelerator=device, devices=devices, num_nodes=nodes, strategy=strategy, precision=precision)
    fabric.launch()
    with writing(recipe.out), ExitStack() as held:
        run = _Run(fabric, recipe, data, resume, held, logs)
        return run.go(progress if fabric.is_global_zero else None)


def figures_of(checkpoint: Path) -> dict[str, float]:
    """The validation figures of a checkpoint."""
    return dict(checkpoints.read_config(checkpoint)["figures"])


class _Run:
    """One run: its rows, model, optimiser and the place that it has come to."""

    def __init__(
        self,
        fabric: Any,
        recipe: recipes.Recipe,
        data: Dataset,
        resume: bool,
        held: ExitStack,
        logs: Sequence[str] = loggers.DEFAULT,
    ) -> None:
        """`held` keeps the run's folder to this process, and its files open, until it is closed."""
        self.held, self.resume, self.logs = held, resume, logs
        self.fabric, self.recipe, self.data = fabric, recipe, data
        self.processes = Processes(fabric)
        self.share = self.processes.share
        self.out = Path(recipe.out)
        rows = choose_rows(data, recipe)  # samplers take what they need of it: a run of many segments keeps no copy
        self.segments = {"train": len(rows.train), "labelled": len(rows.labelled)}
        torch.manual_seed(recipe.seed)
        model = build_within(recipe.name, recipe.model, data.codec.name, data.manifest["attributes"]).to(fabric.device)
        optimizer = optimizers.build(recipe, model)
        self.raw = model
        classes = labels.classes(data, recipe.label, recipe.label_edges)
        clusters, kinds = getattr(model.options, "clusters", 0), labels.count(recipe.label_edges)
        if clusters and recipe.label_share > 0:
            if clusters != kinds:
                raise TrainingError(f"model.clusters {clusters}: the label has {kinds} classes; change label_edges")
            check_labels(recipe, classes[rows.labelled])
        self.sampler = self._sampler(rows.train, rows.labelled, recipe.batch, recipe.transpose, classes=classes)
        check = np.random.default_rng(0).permutation(rows.validation)[:VALIDATION_ROWS]
        self.check = self._sampler(check, np.empty(0, np.int64), min(512, len(check)), training=False, classes=classes)
        self.step, self.best, self.waited = 0, math.inf, 0
        self.processes.on_the_first(self._take_folder)
        state = self._previous() if resume else None
        if state is not None:
            weights, _ = checkpoints.load(self.out / "last")
            model.load_state_dict(weights.state_dict())
            optimizer.load_state_dict(state["optimizer"])
            self.step, self.best, self.waited = state["step"], state["best"], state["waited"]
        self.model, self.optimizer = fabric.setup(model, optimizer)
        self.model.mark_forward_method("loss")

    def _take_folder(self) -> None:
        self.held.enter_context(taken(self.out))
        for name in CHECKPOINTS:
            recover_folder(self.out / name)

    def _sampler(
        self,
        rows: Indices,
        labelled: Indices,
        batch: int,
        transpose: bool = False,
        training: bool = True,
        classes: Indices | None = None,
    ) -> Sampler | MelodySampler:
        recipe, device = self.recipe, self.fabric.device
        own = {"rank": self.share.rank, "of": self.share.of} if training else {}
        if self.data.codec.melodic:
            axes = self.raw.options.axes > 0
            seed = recipe.seed if training else 0
            return MelodySampler(
                self.data, rows, batch=batch, transpose=transpose, augment=axes, seed=seed, device=device, **own
            )
        return Sampler(
            self.data,
            rows,
            labelled,
            batch=batch,
            labels=recipe.labels if training and not recipe.reconstruct_labelled else 0,
            among=recipe.reconstruct_labelled,
            classes=classes,
            pairs=recipe.pairs if training else 0.0,
            transpose=transpose,
            seed=recipe.seed if training else 0,
            device=device,
            **own,
        )

    def _previous(self) -> dict[str, Any] | None:
        """The state of the last checkpoint, None without one. Raises TrainingError for one of another recipe."""
        last = self.out / "last"
        if not checkpoints.exists(last):
            return None
        config = checkpoints.read_config(last)
        recipe = recipes.check(dict(config["recipe"]))
        recipe = replace(recipe, data=self.recipe.data, out=self.recipe.out)  # the same, wherever it lies now
        if config["data"]["hash"] != self.data.hash:
            raise TrainingError(
                f"{last}: was trained on data set {config['data']['hash'][:12]}, {self.recipe.data} is "
                f"{self.data.hash[:12]}; give another `out` or remove the run"
            )
        refuse_other_recipe(last, recipes.as_dict(self.recipe), recipes.as_dict(recipe))
        return checkpoints.load_state(last)

    @property
    def finished(self) -> bool:
        """Whether the run has taken all its steps, or waited long enough for a better loss."""
        recipe = self.recipe
        return self.step >= recipe.steps or bool(recipe.patience and self.waited >= recipe.patience)

    def go(self, progress: Callable[[int, int], None] | None = None) -> Path:
        """Train to the end and return the folder of the best checkpoint."""
        recipe, fabric = self.recipe, self.fabric
        if self.finished:
            return self.out / "best"
        self.processes.on_the_first(self._open_log)
        sums: dict[str, torch.Tensor] = {}
        counted, began = 0, time.time()
        while not self.finished:
            for group in self.optimizer.param_groups:
                group["lr"] = optimizers.rate(recipe, self.step)
            # Noise is a function of the step too, so that a stopped run resumes to the same numbers.
            torch.manual_seed(recipe.seed * 1_000_003 + self.step)
            batch = self.sampler.draw(self.step)
            self.model.train()
            with fabric.autocast(), shares.sharing(self.share):
                terms = self.model.loss(batch, self.step, recipe.steps)
            self.optimizer.zero_grad()
            fabric.backward(terms["loss"])
            norm = fabric.clip_gradients(
                self.model, self.optimizer, max_norm=recipe.clip or math.inf, error_if_nonfinite=False
            )
            terms = self.processes.means({name: value.detach() for name, value in {**terms, "gradient": norm}.items()})
            refuse_nan(self.step, terms, self.out / "last")  # before the weights take it
            for name, value in terms.items():
                sums[name] = sums[name] + value if name in sums else value.clone()
            counted += 1
            self.optimizer.step()
            self.step += 1
            if progress:
                progress(self.step, recipe.steps)
            if self.step % recipe.validate == 0 or self.step == recipe.steps:
                figures = {f"train/{k}": (v / counted).item() for k, v in sums.items()}
                figures["train/segments_per_second"] = counted * recipe.batch / (time.time() - began)
                checked = self.validate()
                refuse_nan(self.step, checked, self.out / "last")
                figures |= {f"validation/{k}": v for k, v in checked.items()}
                self._record(figures, checked)
                sums, counted, began = {}, 0, time.time()
        return self.out / "best"

    def _open_log(self) -> None:
        settings = recipes.as_dict(self.recipe)
        write_atomic(self.out / "recipe.json", f"{json.dumps(settings, indent=1)}\n".encode())
        earlier = loggers.trim(self.out / "log.jsonl", self.step)
        self.loggers = loggers.Loggers(self.logs, self.out, settings, earlier, resume=self.resume)
        self.held.enter_context(self.loggers)

    def _record(self, figures: dict[str, float], checked: dict[str, float]) -> None:
        """Log the figures of a validation and write its checkpoint."""
        better = checked["loss"] < self.best
        waits = not better and self.raw.settled(self.step, self.recipe.steps)  # its weights are at their final values
        self.best, self.waited = (checked["loss"] if better else self.best), self.waited + 1 if waits else 0
        self.processes.on_the_first(partial(self._write, figures, checked, better))

    def _write(self, figures: dict[str, float], checked: dict[str, float], better: bool) -> None:
        with (self.out / "log.jsonl").open("a", encoding="utf-8") as log:
            log.write(json.dumps({"step": self.step, **figures}) + "\n")
        self.loggers.log(figures, self.step)
        shown = {k: round(v, 4) for k, v in checked.items()}
        print(f"step {self.step}/{self.recipe.steps} {shown}", file=sys.stderr, flush=True)
        state = {
            "optimizer": self.optimizer.state_dict(),
            "step": self.step,
            "best": self.best,
            "waited": self.waited,
        }
        config = self.config(checked)
        if better:  # before `last`: a run that is stopped between the two comes here again
            checkpoints.save(self.out / "best", self.raw, config)
        checkpoints.save(self.out / "last", self.raw, config, state)

    def config(self, checked: dict[str, float]) -> dict[str, Any]:
        """What config.json of a checkpoint holds; `checked` are its validation figures."""
        sources = self.data.manifest.get("sources", {})
        return {
            "codec": self.data.codec.name,
            "attributes": self.data.manifest["attributes"],
            "recipe": recipes.as_dict(self.recipe),
            "data": {"hash": self.data.hash, "corpora": sources},
            "segments": self.segments,
            "step": self.step,
            "commit": commit(),
            "figures": checked,
        }

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        """Every loss term on held-out segments at the full KL weight, teacher-forced accuracy, note F1 of free
        decodes from posterior means; of several processes each takes some of the batches."""
        self.model.eval()
        found: list[tuple[dict[str, float], dict[str, tuple[float, float]]]] = []
        for i in self.processes.own(self.check.batches):
            batch: Any = self.check.draw(i)
            torch.manual_seed(i)  # some terms draw noise here too
            with self.fabric.autocast():
                terms = self.raw.loss(batch, self.recipe.steps, self.recipe.steps)
                judged = self.raw.judge(batch, i < FREE_BATCHES)
            found.append(({name: float(value) for name, value in terms.items()}, judged))
        sums: dict[str, float] = {}
        counts: dict[str, Floats] = {}
        for values, judged in self.processes.together(found):
            for name, value in values.items():
                sums[name] = sums.get(name, 0.0) + value / self.check.batches
            for name, pair in judged.items():
                counts[name] = counts.get(name, np.zeros(2)) + pair
        return sums | {name: float(right / max(of, 1)) for name, (right, of) in counts.items()}
