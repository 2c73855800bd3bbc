"""Sums of three-digit numbers, read character by character, as published.

  python train.py --config=text_sum --workdir=runs/text/sum

Five seeds of 333,569 parameters on 18,000 prompts, 1,410 steps of 128 (ten
epochs), answers over 2,000 by regression; about 6 minutes on 2 CPU cores.
Expected: squared error of 500 to 1,500 on the 2,000 prompts it is chosen on.
`:modk` asks for the sum modulo 97, `:valid` whether a shown sum is right
(D = 256): both stay at chance, as published. `:untied` has the published data
divided by unordered pairs.
"""

from primelens.lens import experiment
from primelens.models import encoder, fit, optimizer
from primelens.tasks import text

VARIANTS: dict[str, text.Question] = {
  "sum": "sum",
  "modk": "modk",
  "valid": "valid",
  "untied": "sum",
}
EPOCH = 141  # steps of 128 through 18,000 prompts


def adamw(rate: float = 2e-3) -> optimizer.Config:
  """Returns the published optimizer (arithmetic spec, section 3)."""
  return optimizer.Config(rate=rate, schedule="constant", weight_decay=0.01, clip=0.0)


def published_fit(rate: float = 2e-3, seeds: int = 5) -> fit.Config:
  """Returns the published fit: ten epochs, chosen on the select rows."""
  return fit.Config(
    steps=10 * EPOCH,
    batch_size=128,
    seeds=seeds,
    dispatch=47,
    evaluate_every=EPOCH,
    evaluate_windows=2000,
    checkpoint_every=5 * EPOCH,
    optimizer=adamw(rate),
  )


def get_config(variant: str = "sum") -> experiment.Experiment:
  """Returns the experiment; raises `ValueError` for an unknown variant."""
  if variant not in VARIANTS:
    raise ValueError(f"{variant!r} is not one of {', '.join(VARIANTS)}.")
  valid = variant == "valid"
  return experiment.Experiment(
    study="text",
    task=text.Config(
      question=VARIANTS[variant], split="disjoint" if variant == "untied" else "published"
    ),
    model=encoder.Config(
      outputs=2 if valid else 1,
      trunk=encoder.encoder_trunk(width=256 if valid else 128, identical_layers=True),
    ),
    fit=published_fit(),
  )
