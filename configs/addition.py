"""Addition of two digits, plain and modular, by transformers of one and two layers.

  python train.py --config=addition:p10_published --workdir=runs/addition_p10/published
  python train.py --config=addition:p10_all --workdir=runs/addition_p10
  python train.py --config=addition:p113,32 --workdir=runs/addition_p113

Plain addition, P = 10, is that of the published network and its controls. A member is a (split
seed, init seed) pair, with the published initial weights of PyTorch; the first is the source
notebook's own, 598/999. 10,000 epochs; about 4 minutes on 2 CPU cores. Of the first eleven, 5 are
expected to generalise fully (docs/sources/addition.md, section 7). Every control of it has twelve
members.

`p113`, modulo 113, is the grokking demonstration: one member with the published start (split 598,
init 999, the order of registration that the stored outputs were made with); 25,000 epochs, about 25
minutes on 2 CPU cores. Expected: test loss below 1e-5 at the end (published 2.0e-7). 32 members,
from JAX keys on 32 splits, are for a GPU.

`p53` is a population that groks on a CPU, so that phases and lead times have an interval over
seeds: six members on six splits of half of all pairs, 8,000 epochs, minutes on 2 CPU cores.

`p97` has two layers, for the spectra of a grokking network, and the sizes of
docs/sources/primes.md, section 7.4 (width 128, four heads, MLP 512, ReLU), whose training is not
part of its source: split, start and optimizer here are those of `p113`. 17,500 epochs as in the
published curves; about an hour on one CPU core, one member.

A number behind one of these three, as in `p113,32`, is that of its members.
"""

from typing import Any

from primelens.lens import experiment
from primelens.models import fit, optimizer, tokens
from primelens.tasks import addition

PLAIN = (
  "p10_published",
  "p10_unordered",  # unordered pairs are split
  "p10_permuted",  # the labels are permuted
  "p10_no_decay",  # no weight decay
  "p10_drift",  # 598/999 twelve times: what differs is not portable between programs
  "p10_jax",  # from JAX keys
)
MODULAR: dict[str, dict[str, Any]] = {
  "p113": dict(digits=113, members=1, train_fraction=0.3, steps=25_000),
  "p53": dict(digits=53, members=6, train_fraction=0.5, steps=8000),
  "p97": dict(
    digits=97,
    members=1,
    train_fraction=0.3,
    layers=2,
    steps=17_500,
    dispatch=50,
    evaluate_every=50,
    snapshot_every=250,
  ),
}
VARIANTS = (*PLAIN, *MODULAR)
GROUPS = {"p10_all": PLAIN}
PAIRS = (
  (598, 999),
  (598, 1),
  (1, 1),
  (1, 999),
  (4, 4),
  (2, 999),
  (2, 2),
  (3, 3),
  (7, 7),
  (6, 6),
  (5, 5),
  (8, 8),
  *((seed, seed) for seed in range(9, 17)),
)
FEWER = 12  # members of a control
ROUNDING = 6e-8  # 2^-24, half the last place of a float32: how far the starts of `p10_drift` differ


def get_config(variant: str = "p10_published") -> experiment.Experiment:
  """Returns the experiment; raises `ValueError` for another variant or member count."""
  name, comma, members = variant.partition(",")
  if name not in MODULAR:
    experiment.chosen(variant, VARIANTS)
    return _plain(variant.removeprefix("p10_"))
  if comma and not (members.isdecimal() and int(members)):
    raise ValueError(f"{members!r} is not a number of members, as in {name},32.")
  return _modular(**MODULAR[name] | ({"members": int(members)} if comma else {}))


def _plain(variant: str) -> experiment.Experiment:
  drift = variant == "drift"
  pairs = PAIRS if variant == "published" else PAIRS[:FEWER]
  pairs = FEWER * PAIRS[:1] if drift else pairs
  splits, starts = zip(*pairs, strict=True)
  return experiment.Experiment(
    study="addition",
    task=addition.Config(
      split="unordered" if variant == "unordered" else "published",
      split_seeds=splits,
      labels="permuted" if variant == "permuted" else "true",
    ),
    model=tokens.Config(
      torch_seeds=() if variant == "jax" else starts, torch_jitter=ROUNDING if drift else 0.0
    ),
    fit=_fit(10_000, len(pairs), weight_decay=0.0 if variant == "no_decay" else 1.0),
  )


def _modular(
  *, digits: int, members: int, train_fraction: float, steps: int, layers: int = 1, **changes
) -> experiment.Experiment:
  published = digits == 113 and members == 1
  return experiment.Experiment(
    study="addition",
    task=addition.Config(
      digits=digits,
      modular=True,
      train_fraction=train_fraction,
      split_seeds=tuple(598 + member for member in range(members)),
    ),
    model=tokens.Config(
      vocabulary=digits + 1,
      classes=digits,
      torch_seeds=(999,) if published else (),
      torch_order="old",
      trunk=tokens.plain_trunk(layers=layers),
    ),
    fit=_fit(steps, members, **changes),
  )


def _fit(
  steps: int,
  members: int,
  weight_decay: float = 1.0,
  dispatch: int = 100,
  evaluate_every: int = 0,
  snapshot_every: int = 100,
) -> fit.Config:
  """Returns a fit with the published optimizer (docs/sources/addition.md, section 3)."""
  return fit.Config(
    steps=steps,
    seeds=members,
    dispatch=dispatch,
    evaluate_every=evaluate_every,
    checkpoint_every=1000,
    snapshot_every=snapshot_every,
    optimizer=optimizer.Config(
      rate=1e-3, schedule="constant", beta2=0.98, weight_decay=weight_decay, clip=0.0
    ),
  )
