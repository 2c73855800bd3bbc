"""Plain addition of two digits, P = 10: the published network and its kin.

  python train.py --config=addition_p10 --workdir=runs/addition_p10

Twenty members, each a (split seed, init seed) pair, with the published
initial weights of PyTorch; the first is the source notebook's own, 598/999.
10,000 epochs; about 4 minutes on 2 CPU cores. Of the first eleven, 5 are
expected to generalise fully (addition spec, section 7).

The others have twelve members, the first pairs. `:unordered` splits unordered
pairs, `:permuted` permutes the labels, `:no_decay` has no weight decay, `:jax`
starts from JAX keys. `:drift` trains
598/999 twelve times, its start shaken by the rounding of float32: what differs
between its members is not portable between programs.
"""

from primelens.lens import experiment
from primelens.models import fit, optimizer, tokens
from primelens.tasks import addition

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
FEWER = 12  # members of every other variant
VARIANTS = ("published", "unordered", "permuted", "no_decay", "drift", "jax")
ROUNDING = 6e-8  # 2^-24, half the last place of a float32


def adamw(weight_decay: float = 1.0) -> optimizer.Config:
  """Returns the published optimizer (addition spec, section 3)."""
  return optimizer.Config(
    rate=1e-3, schedule="constant", beta2=0.98, weight_decay=weight_decay, clip=0.0
  )


def get_config(variant: str = "published") -> experiment.Experiment:
  """Returns the experiment; raises `ValueError` for an unknown variant."""
  if variant not in VARIANTS:
    raise ValueError(f"{variant!r} is not one of {', '.join(VARIANTS)}.")
  drift = variant == "drift"
  pairs = PAIRS if variant == "published" else PAIRS[:FEWER]
  pairs = FEWER * PAIRS[:1] if drift else pairs
  splits, starts = zip(*pairs, strict=True)
  return experiment.Experiment(
    study="addition",
    task=addition.Config(
      digits=10,
      train_fraction=0.72,
      split="unordered" if variant == "unordered" else "published",
      split_seeds=splits,
      labels="permuted" if variant == "permuted" else "true",
    ),
    model=tokens.Config(
      vocabulary=11,
      classes=20,
      torch_seeds=() if variant == "jax" else starts,
      torch_jitter=ROUNDING if drift else 0.0,
    ),
    fit=fit.Config(
      steps=10_000,
      seeds=len(pairs),
      dispatch=100,
      evaluate_every=0,
      checkpoint_every=1000,
      snapshot_every=100,
      optimizer=adamw(0.0 if variant == "no_decay" else 1.0),
    ),
  )
