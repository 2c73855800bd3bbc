"""Small causal networks on the zeros and on what the zeros are compared with, for two CPU cores.

  python train.py --config=zeros_small:all --workdir=runs/zeros_small
  python train.py --config=zeros_small:long_all --workdir=runs/zeros_long

A plain E0 (no linear filters in front) of 29,292 parameters, 3 seeds, about 3 minutes. These
variants differ in their spacings alone; what a reading finds in all of them alike is not the
zeros'.

The long ones, about 100,000 parameters and 2 seeds, are trained for 30 minutes each on one core,
after which most of them know primes. No filters in front, no guides: what they know of the primes
they have found in spacings by gradient descent. `long_none` has no memory; `long_memory_blind` is
Flash in small (residuals, rotary positions, slots that read slots alone), all else equal.
"""

from primelens.configs import zeros_bank
from primelens.lens import experiment
from primelens.models import fit, optimizer, spacing, transformer
from primelens.tasks import surrogates, zeros

WINDOW = 128
COUNT = 500_000  # spacings
SPACINGS = {
  "zeros": lambda: zeros.Config(split="published_tail", window=WINDOW, recent=COUNT),
  # The same in random order.
  "shuffled": lambda: surrogates.Config(ensemble="shuffled", count=COUNT, window=WINDOW),
  # Eigenphases of random unitary matrices.
  "cue": lambda: surrogates.Config(count=COUNT, window=WINDOW),
  # Prime gaps over ln p.
  "primes": lambda: surrogates.Config(ensemble="prime_gaps", count=COUNT, window=WINDOW),
}
VARIANTS = (*SPACINGS, "long_none", "long_memory_blind", "long_leaky_as_published")
GROUPS = {"all": tuple(SPACINGS), "long_all": ("long_none", "long_memory_blind")}
ANALYSES = dict(
  evaluation=dict(windows=512, select_windows=128, min_context=64),
  masking=dict(windows=64),
  heads=dict(windows=64),
  symbolic=dict(samples=2000),
  formula=dict(cue_matrices=100, cue_size=128),
  prime_waves=dict(spacings=8_000, part_spacings=2_000, response_windows=128, draws=20),
  linear=dict(jacobian_windows=64),
  rollout=dict(starts=24, horizon=100, draws=4, rows=32),
)


def get_config(variant: str = "zeros") -> experiment.Experiment:
  """Returns the experiment; raises `ValueError` for another variant."""
  experiment.chosen(variant, VARIANTS)
  return _short(variant) if variant in SPACINGS else _long(variant.removeprefix("long_"))


def trunk(positions: int) -> transformer.Config:
  """Returns the small trunk, without biases in the norms."""
  return zeros_bank.small_trunk(32, positions, norm_bias=False)


def _short(variant: str) -> experiment.Experiment:
  """Returns the plain network on its spacings."""
  return experiment.Experiment(
    task=SPACINGS[variant](),
    model=spacing.Config(window=WINDOW, components=4, entropy=0.0, trunk=trunk(WINDOW)),
    fit=fit.Config(
      steps=2000,
      batch_size=32,
      seeds=3,
      dispatch=25,
      evaluate_every=200,
      evaluate_windows=256,
      checkpoint_every=200,
      snapshot_every=500,
      optimizer=optimizer.Config(rate=5e-3, warmup=100, end_rate=1e-5, beta2=0.99),
    ),
    analyses=ANALYSES,
  )


def _long(mode: str) -> experiment.Experiment:
  """Returns the network that learns for half an hour."""
  config = experiment.Experiment(
    task=SPACINGS["zeros"](),
    model=spacing.Config(
      window=WINDOW,
      components=4,
      mean="raw",
      scale_max=5.0,
      residual=True,
      entropy=0.0,
      slot_keep=1.0,
      trunk=zeros_bank.small_trunk(64, WINDOW, positions="rotary"),
    ),
    fit=fit.Config(
      steps=12_000,
      batch_size=32,
      seeds=2,
      dispatch=25,
      evaluate_windows=256,
      snapshot_every=1000,
      optimizer=optimizer.Config(rate=3e-3, warmup=200, end_rate=1e-5, beta2=0.99),
    ),
    analyses=ANALYSES,
  )
  return zeros_bank.banked(config, mode, slow_factor=1.0)
