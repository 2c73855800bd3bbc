r"""Arithmetic read character by character, as in "103 + 40 = ?".

  python train.py --config=text:sum --workdir=runs/text/sum
  python train.py --config=text:imported --workdir=runs/text/imported \
    --config.model.checkpoint=reg_sum.npz
  python train.py --config=text:learned,97,1000,12000 --workdir=runs/text/learned

`sum`, sums of three-digit numbers, is as published: five seeds of 333,569 parameters on 18,000
prompts, 1,410 steps of 128 (ten epochs), answers over 2,000 by regression; about 6 minutes on 2 CPU
cores. Expected: squared error of 500 to 1,500 on the 2,000 prompts it is chosen on. `modk` asks for
the sum modulo 97, `valid` whether a shown sum is right (D = 256): both stay at chance, as
published. `untied` has the published data divided by unordered pairs.

`scale_L2_D128` and its like are the published grid of sizes for sums modulo 97, none of which was
learned: layers and width; four heads, d_ff = 4 D, AdamW at 3e-4 for ten epochs
(docs/sources/text.md, section 3), 0.5 to 19 million parameters. Five seeds where the source had
one. On 2 CPU cores the smallest takes about a quarter of an hour, the largest ten hours or more;
minutes on a GPU. Expected: no better than a constant, whatever the size.

`learned` does learn sums modulo k, which no published network did. Classes in the place of a scaled
number, digits at fixed positions, all pairs of operands with unordered pairs divided 80/10/10,
pre-norm, no dropout, warm-up and cosine (docs/sources/text.md, section 6).
`learned,K,OPERANDS,STEPS` are the modulus, the number of operands and the steps, by default
97,100,6000: two digits, two seeds, ten minutes on 2 CPU cores, every unseen pair right. With
97,1000,12000, three digits, 99.5 % of unseen pairs were measured right, one seed in 20 minutes.

`imported` is a published network, read from an NPZ of its PyTorch state dict. One step at rate 0,
which leaves the weights as they are, makes it a run that all analyses can read; less than a minute.
`imported_modk` is read with prompts of sums modulo 97.
"""

import dataclasses
from typing import Any

from primelens.lens import experiment
from primelens.models import encoder, fit, optimizer
from primelens.tasks import text

# What a published network changes in its task.
QUESTIONS: dict[str, dict[str, Any]] = {
  "sum": {},
  "modk": {"question": "modk"},
  "valid": {"question": "valid"},
  "untied": {"split": "disjoint"},
}
SCALE = {  # layers and width
  "scale_L2_D128": (2, 128),
  "scale_L2_D256": (2, 256),
  "scale_L2_D512": (2, 512),
  "scale_L4_D128": (4, 128),
  "scale_L4_D256": (4, 256),
  "scale_L4_D512": (4, 512),
  "scale_L6_D128": (6, 128),
  "scale_L6_D256": (6, 256),
  "scale_L6_D512": (6, 512),
}
VARIANTS = (*QUESTIONS, *SCALE, "learned", "imported", "imported_modk")
GROUPS = {"questions_all": tuple(QUESTIONS), "scale_all": tuple(SCALE)}
EPOCH = 141  # steps of 128 through 18,000 prompts


def get_config(variant: str = "sum") -> experiment.Experiment:
  """Returns the experiment; raises `ValueError` for another variant or other than numbers."""
  name, comma, sizes = variant.partition(",")
  if name == "learned":
    return _learned(sizes if comma else "97,100,6000")
  experiment.chosen(variant, VARIANTS)
  if variant in SCALE:
    return _scale(*SCALE[variant])
  if name.startswith("imported"):
    return _imported("modk" if variant == "imported_modk" else "sum")
  return _published(variant)


def _published(variant: str) -> experiment.Experiment:
  valid = variant == "valid"
  return experiment.Experiment(
    study="text",
    task=text.Config(**QUESTIONS[variant]),
    model=encoder.Config(
      outputs=2 if valid else 1,
      trunk=encoder.encoder_trunk(width=256 if valid else 128, identical_layers=True),
    ),
    fit=_fit(),
  )


def _scale(layers: int, width: int) -> experiment.Experiment:
  return experiment.Experiment(
    study="text",
    task=text.Config(question="modk"),
    model=encoder.Config(
      trunk=encoder.encoder_trunk(
        width=width, layers=layers, hidden=4 * width, identical_layers=True
      )
    ),
    fit=_fit(rate=3e-4),
  )


def _imported(question: str) -> experiment.Experiment:
  still = dataclasses.replace(_fit(rate=0.0), steps=1, seeds=1, dispatch=1, evaluate_every=1)
  return dataclasses.replace(_published(question), fit=still)


def _fit(rate: float = 2e-3) -> fit.Config:
  """Returns the published fit (docs/sources/text.md, section 3), chosen on the select rows."""
  return fit.Config(
    steps=10 * EPOCH,
    batch_size=128,
    seeds=5,
    dispatch=47,
    evaluate_every=EPOCH,
    evaluate_windows=2000,
    checkpoint_every=5 * EPOCH,
    optimizer=optimizer.Config(rate=rate, schedule="constant", clip=0.0),
  )


def _learned(sizes: str) -> experiment.Experiment:
  parts = sizes.split(",")
  if len(parts) != 3 or not all(part.isdecimal() for part in parts):
    raise ValueError(f"{sizes!r} is not K,OPERANDS,STEPS, as in learned,97,100,6000.")
  modulus, operands, steps = map(int, parts)
  held_back = operands * (operands + 1) // 20  # of test, a tenth of all pairs
  return experiment.Experiment(
    study="text",
    task=text.Config(
      question="modk",
      modulus=modulus,
      operands=operands,
      pairs="all",
      split="disjoint",
      layout="aligned",
    ),
    model=encoder.Config(
      outputs=modulus,
      trunk=encoder.encoder_trunk(
        max_positions=16, norm="pre", dropout=0.0, init="gpt2", zero_padding=False
      ),
    ),
    fit=fit.Config(
      steps=steps,
      batch_size=256,
      seeds=2,
      evaluate_every=max(steps // 20, 1),
      evaluate_windows=2000,
      checkpoint_every=max(steps // 10, 1),
      optimizer=optimizer.Config(
        rate=1e-3, warmup=min(500, steps // 10), beta2=0.98, weight_decay=0.1
      ),
    ),
    analyses=dict(probe_rows=min(20_000, held_back)),
  )
