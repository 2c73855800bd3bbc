"""Demo POSTFIX: a small memory network on the real zeros, for two CPU cores.

  python train.py --config=zeros_demo_postfix --workdir=runs/demo/postfix

E4's recipe (permuted slot ids, mean Q3-proxy loss) at small size, 2 seeds,
about two minutes. It starts from one linear filter, and gets one target per
window where E0 gets 256: no number is set for it to reach.
"""

from primelens.configs import zeros_small
from primelens.lens import experiment
from primelens.models import fit, optimizer, spacing
from primelens.tasks import zeros


def get_config() -> experiment.Experiment:
  """Returns the experiment."""
  return experiment.Experiment(
    study="zeros",
    task=zeros.Config(split="published_tail", window=128, recent=500_000),
    model=spacing.Config(
      window=128,
      memory="postfix",
      slots=4,
      components=4,
      skip_order=48,
      skip_stretch=300_000,
      slot_ids="permute_per_batch",
      auxiliary="mean",
      weight_floor=1e-8,
      floor="clamp",
      trunk=zeros_small.trunk(132),
    ),
    fit=fit.Config(
      steps=160,
      batch_size=64,
      seeds=2,
      dispatch=10,
      evaluate_every=80,
      evaluate_windows=1024,
      checkpoint_every=80,
      snapshot_every=80,
      optimizer=optimizer.Config(
        rate=5e-3,
        warmup=20,
        end_rate=1e-4,
        weight_decay=0.01,
        slow_pattern="memory/.*",
        slow_factor=0.3,
      ),
    ),
    analyses=_analyses(),
  )


def _analyses() -> dict[str, dict]:
  return dict(
    evaluation=dict(windows=2048, select_windows=256, permutations=10, permutation_windows=256),
    masking=dict(windows=256),
    heads=dict(windows=256),
    pruned=dict(steps=50, batch_size=32),
    curriculum=dict(steps=50, batch_size=32),
    formula=dict(samples=4000, cue_matrices=100, cue_size=128),
    linear=dict(samples=4000, jacobian_windows=64),
    rollout=dict(starts=24, horizon=100, draws=4, rows=32),
    calibration=dict(samples=2000),
    selection=dict(windows=320),
    prime_waves=dict(
      spacings=2_000,
      part_spacings=500,
      context_windows=0,
      symbolic=False,  # the other run of the demo reads the same truth
      response_windows=48,
      draws=20,
    ),
    symbolic=dict(samples=2000),
    yardstick=dict(spacings=2_000, computed=(), explicit=(100, 1_000, 10_000)),
  )
