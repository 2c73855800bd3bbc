"""Small causal networks on the zeros and on what the zeros are compared with.

  python train.py --config=zeros_small:zeros --workdir=runs/zeros_small/zeros

A plain E0 (no linear filters in front) of 29,292 parameters, 3 seeds, about
3 minutes on two CPU cores. The variants differ in their spacings alone:
`zeros`, the zeros of zeta; `shuffled`, the same in random order; `cue`,
eigenphases of random unitary matrices; `primes`, prime gaps over ln p. What a
reading finds in all of them alike is not the zeros'.
"""

from primelens.lens import experiment
from primelens.models import fit, optimizer, spacing, transformer
from primelens.tasks import surrogates, zeros

WINDOW = 128
VARIANTS = {
  "zeros": lambda: zeros.Config(split="published_tail", window=WINDOW, recent=500_000),
  "shuffled": lambda: surrogates.Config(ensemble="shuffled", count=500_000, window=WINDOW),
  "cue": lambda: surrogates.Config(ensemble="cue", count=500_000, size=128, window=WINDOW),
  "primes": lambda: surrogates.Config(ensemble="prime_gaps", count=500_000, window=WINDOW),
}


def trunk(positions: int) -> transformer.Config:
  """Returns a trunk for minutes on a CPU, started wide enough to learn soon."""
  return transformer.Config(
    width=32,
    layers=2,
    heads=4,
    hidden=128,
    max_positions=positions,
    dropout=0.0,
    embed_dropout=0.0,
    init_std=0.1,
  )


def get_config(variant: str = "zeros") -> experiment.Experiment:
  """Returns the experiment; raises `ValueError` for another variant."""
  if variant not in VARIANTS:
    raise ValueError(f"{variant!r} is not one of {', '.join(VARIANTS)}.")
  return experiment.Experiment(
    study="zeros",
    task=VARIANTS[variant](),
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
      optimizer=optimizer.Config(
        rate=5e-3, warmup=100, end_rate=1e-5, beta2=0.99, weight_decay=0.01
      ),
    ),
    analyses=_analyses(),
  )


def _analyses() -> dict[str, dict]:
  return dict(
    evaluation=dict(windows=512, select_windows=128, min_context=64),
    masking=dict(windows=64),
    heads=dict(windows=64),
    symbolic=dict(samples=2000),
    formula=dict(cue_matrices=100, cue_size=128),
    prime_waves=dict(spacings=8_000, part_spacings=2_000, response_windows=128, draws=20),
    linear=dict(jacobian_windows=64),
  )
