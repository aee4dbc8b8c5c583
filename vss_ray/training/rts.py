"""Recipe of RTS: sequences in which one object is followed, learned in the order that converges.

Paul et al., ECCV 2022, section 4 and the authors' code. First the branch that makes masks, alone; then the instance
branch, which needs no decoder; then both, with the scores of the instance fed into the decoder. The first frame's mask
is given; the masks of further frames, from which the model learns on, are the network's own and carry no gradient.

Differs from what was published: the encoder is frozen, crops are smaller, cross-entropy stands beside the Lovasz loss,
and sequences are made of stills and rendered streets.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from vss_ray import engines
from vss_ray.datasets import camvid
from vss_ray.engines import Execution
from vss_ray.errors import ConfigError
from vss_ray.networks import rts, stored
from vss_ray.networks.rts import Rts
from vss_ray.segmenters import builtin
from vss_ray.training import imagenet, loop, object_sequences, recipes
from vss_ray.training.composites import Composites
from vss_ray.training.object_learner import PARTS, Config, Encoder, Learner, Stage
from vss_ray.training.object_sequences import Batch, Source
from vss_ray.training.rendered import Scenes

MEASURED = 60
"""Sequences of the report."""


def train(
    data: Path, config: Config, *, base: str, imagenet_weights: Path | None, checkpoint: Path, device: str = "cpu"
) -> Rts:
    """All three stages, on the stills of ``data/train`` and on rendered streets; never sees ``data/val``.

    Args:
        data: CamVid in the SegNet layout.
        config: Recipe.
        base: A keyframe network whose encoder is taken where there are no ``imagenet_weights``.
        imagenet_weights: Public weights of the encoder.
        checkpoint: See ``loop.fit``; every stage has one of its own beside it, see ``stage_checkpoint``.
        device: ``cpu`` or ``cuda``.
    """
    torch.manual_seed(config.segmentation.seed)
    network = rts.Rts(config.network, _encoder(config.network.encoder, base, imagenet_weights))
    sources: list[tuple[Source, float]] = []
    if config.stills:
        sources.append((Composites(camvid.stills(data, "train"), config.composite), config.stills))
    if config.scenes:
        sources.append((Scenes(config.num_scenes, height=480, width=800, instances=True), config.scenes))

    # Frozen, the encoder can run as fast as it does in use.
    encode = engines.build_graph(Execution(), Encoder(network), threads=torch.get_num_threads(), device=device)

    def loss(learner: nn.Module, batch: Batch) -> dict[str, Tensor]:
        # Out of inference mode, if the engine left them there.
        return learner(batch, [level.float().clone() for level in encode(batch.images.flatten(0, 1))])

    def batches(epoch: int, schedule: loop.Config) -> Iterator[Batch]:
        return object_sequences.batches(
            sources,
            config.sequences,
            length=config.length,
            batch=schedule.batch,
            steps=config.steps,
            seed=schedule.seed,
            epoch=epoch,
            device=device,
        )

    schedules: dict[Stage, loop.Config] = {
        "segmentation": config.segmentation,
        "instance": config.instance,
        "fusion": config.fusion,
    }
    for stage, schedule in schedules.items():
        if schedule.epochs:
            learner: Any = loop.fit(
                Learner(network, stage, config),
                partial(batches, schedule=schedule),
                loss,
                schedule,
                steps_per_epoch=config.steps,
                checkpoint=stage_checkpoint(checkpoint, stage),
                device=device,
            )
            network = learner.network
    return network.eval().requires_grad_(False)


def run(
    data: Path,
    out: Path,
    *,
    videos: Sequence[Path] = (),
    base: str = "swiftnet_mobilenet_v2_camvid",
    imagenet_weights: Path | None = None,
    recipe: Mapping[str, Any] | None = None,
    overrides: Sequence[str] = (),
) -> dict[str, Any]:
    """Train and write ``out``; see ``training.Run``. ``videos`` are of no use here.

    Returns:
        ``j_mean``: overlap of masks in sequences made of the stills of ``data/val``, and ``j_without_scores``: the same
        with the instance's scores left out of the decoder.
    """
    if out.suffix != stored.SUFFIX:
        raise ConfigError(f"--out {out}: wanted a file that ends in {stored.SUFFIX}")
    config = recipes.build(Config, recipe or {}, overrides)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    checkpoint = out.with_suffix(".checkpoint")
    network = train(data, config, base=base, imagenet_weights=imagenet_weights, checkpoint=checkpoint, device=device)
    stored.save(network, out, {"network": "rts", "config": json.dumps(asdict(config.network))})
    for stage in PARTS:
        stage_checkpoint(checkpoint, stage).unlink(missing_ok=True)
    return measure(data, network.to("cpu"), config)


def measure(data: Path, network: Rts, config: Config) -> dict[str, float]:
    """The report of ``run``."""
    sequences = object_sequences.batches(
        [(Composites(camvid.stills(data, "val"), config.composite), 1.0)],
        config.sequences,
        length=config.length,
        batch=1,
        steps=MEASURED,
        seed=config.fusion.seed,
        epoch=0,
        device="cpu",
    )
    learners = {
        "j_mean": Learner(network, "fusion", config),
        "j_without_scores": Learner(network, "segmentation", config),
    }
    reached: dict[str, list[float]] = {name: [] for name in learners}
    for batch in sequences:
        with torch.inference_mode():
            pyramid = network.encode(batch.images.flatten(0, 1))
        for name, learner in learners.items():
            reached[name].append(float(learner.overlaps(batch, pyramid).mean()))
    return {name: sum(values) / len(values) for name, values in reached.items()}


def stage_checkpoint(checkpoint: Path, stage: Stage) -> Path:
    """Where a stage keeps its state."""
    return checkpoint.with_name(f"{checkpoint.stem}_{stage}{checkpoint.suffix}")


def _encoder(name: str, base: str, imagenet_weights: Path | None) -> nn.Module:
    encoder = rts.ENCODERS[name]()
    if imagenet_weights is not None:
        imagenet.load(encoder, imagenet_weights)
        return encoder
    network: Any = builtin.load_network(builtin.Config(weights=base))[0]
    if type(getattr(network, "encoder", None)) is not type(encoder):
        raise ConfigError(f"rts: {base} has another encoder than {name}; give --imagenet, or another --base")
    return network.encoder
