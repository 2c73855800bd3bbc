"""What leaks through a memory bank: mask x input x positions, CPU size.

  python train.py --config=zeros_leak:MODE,INPUT,POSITIONS --workdir=runs/leak/1

`zeros_leak:leaky_as_published,spacings,learned` is the published Q3 small,
`zeros_leak:leaky_as_published,residuals,rotary` the published Flash. MODE is
`leaky_as_published`, `memory_blind` or `none` (zeros_bank.py), INPUT
`spacings` or `residuals`, POSITIONS `learned` or `rotary`; all else is equal.
Three seeds each, two or three minutes on two CPU cores; `make leak` trains
the twelve and analyses them together.
"""

from primelens.configs import zeros_bank, zeros_baseline
from primelens.lens import experiment
from primelens.models import fit, optimizer, spacing
from primelens.tasks import zeros

WINDOW = 32
INPUTS = ("spacings", "residuals")
POSITIONS = ("learned", "rotary")
VARIANTS = tuple(
  f"{mode},{reads},{positions}"
  for mode in zeros_bank.MODES
  for reads in INPUTS
  for positions in POSITIONS
)


def get_config(variant: str = "leaky_as_published,spacings,learned") -> experiment.Experiment:
  """Returns the experiment; raises `ValueError` for an unknown variant."""
  if variant not in VARIANTS:
    raise ValueError(f"{variant!r} is not one of {', '.join(VARIANTS)}.")
  mode, reads, positions = variant.split(",")
  config = experiment.Experiment(
    study="zeros",
    task=zeros.Config(split="published_tail", window=WINDOW),
    model=spacing.Config(
      window=WINDOW,
      components=4,
      mean="raw",
      scale_max=5.0,
      residual=reads == "residuals",
      entropy=0.0,
      slot_keep=1.0,
      trunk=zeros_baseline.trunk(
        width=48,
        layers=2,
        heads=4,
        hidden=192,
        positions=positions,
        max_positions=WINDOW,
        dropout=0.0,
        embed_dropout=0.0,
        init_std=0.1,
      ),
    ),
    fit=fit.Config(
      steps=1500,
      batch_size=64,
      seeds=3,
      dispatch=20,
      evaluate_every=200,
      evaluate_windows=512,
      checkpoint_every=500,
      optimizer=optimizer.Config(
        rate=3e-3, warmup=100, end_rate=1e-5, beta2=0.99, weight_decay=0.01
      ),
    ),
    analyses=dict(evaluation=dict(windows=2048, select_windows=256, min_context=WINDOW)),
  )
  return zeros_bank.moded(config, mode, slow_factor=1.0)
