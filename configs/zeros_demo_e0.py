"""Demo E0: a small causal network on the real zeros, for two CPU cores.

  python train.py --config=configs/zeros_demo_e0.py --workdir=runs/demo/e0

About 45,000 parameters a seed, 2 seeds, about 2 minutes. It has a bank of
five linear filters (Yule-Walker on neighbouring stretches of train) that the
transformer weighs by how each has erred in the window. On the published tail
it ends below AR(64), -0.045 nats; the README has the number of the last run.
"""

from primelens.configs import zeros_small
from primelens.lens import experiment
from primelens.models import fit, optimizer, spacing
from primelens.tasks import zeros


def get_config() -> experiment.Experiment:
  """Returns the experiment."""
  return experiment.Experiment(
    study="zeros",
    task=zeros.Config(split="published_tail", window=256, recent=300_000),
    model=spacing.Config(
      window=256,
      components=4,
      entropy=0.0,
      skip_order=48,
      skip_filters=5,
      skip_stretch=100_000,
      skip_lead=100_000,
      trunk=zeros_small.trunk(256),
    ),
    fit=fit.Config(
      steps=600,
      batch_size=16,
      seeds=2,
      dispatch=10,
      evaluate_every=100,
      evaluate_windows=256,
      checkpoint_every=100,
      snapshot_every=100,
      optimizer=optimizer.Config(rate=5e-3, warmup=20, end_rate=1e-5, beta2=0.99),
    ),
    analyses=_analyses(),
  )


def _analyses() -> dict[str, dict]:
  return dict(
    masking=dict(windows=64),
    heads=dict(windows=64),
    pruned=dict(batch_size=8, windows=64),
    curriculum=dict(batch_size=8, windows=64),
    evaluation=dict(select_windows=64),
    symbolic=dict(samples=2000),
    formula=dict(cue_matrices=100, cue_size=128),
    prime_waves=dict(
      spacings=8_000, part_spacings=2_000, context_windows=3_000, response_windows=48, draws=20
    ),
    linear=dict(jacobian_windows=64),
    rollout=dict(starts=24, horizon=100, draws=4, rows=32, growing=(10,)),
    yardstick=dict(computed=(), explicit=(100, 1_000, 10_000)),
  )
