"""The demo: small networks on the real zeros, about a minute each on two CPU cores, 2 seeds.

  python train.py --config=zeros_demo:all --workdir=runs/demo

`e0` is causal and has about 45,000 parameters. It has five linear filters (Yule-Walker on
neighbouring stretches of train) that the transformer weighs by how each has erred in the window.

`postfix` has memory, by E4's recipe (permuted slot ids, mean Q3-proxy loss). It starts from one
linear filter, and gets one target per window where E0 gets 256: no number is set for it to reach.
"""

from primelens.configs import zeros_small
from primelens.lens import experiment
from primelens.models import fit, optimizer, spacing
from primelens.tasks import zeros

VARIANTS = ("e0", "postfix")


def get_config(variant: str = "e0") -> experiment.Experiment:
  """Returns the experiment; raises `ValueError` for another variant."""
  experiment.chosen(variant, VARIANTS)
  return _e0() if variant == "e0" else _postfix()


def _e0() -> experiment.Experiment:
  return experiment.Experiment(
    task=zeros.Config(split="published_tail", recent=300_000),
    model=spacing.Config(
      components=4,
      entropy=0.0,
      skip_order=48,
      skip_filters=5,
      skip_stretch=100_000,
      skip_lead=100_000,
      trunk=zeros_small.trunk(256),
    ),
    fit=fit.Config(
      steps=300,
      batch_size=16,
      seeds=2,
      dispatch=10,
      evaluate_every=50,
      evaluate_windows=256,
      checkpoint_every=100,
      snapshot_every=50,
      optimizer=optimizer.Config(rate=5e-3, warmup=20, end_rate=1e-5, beta2=0.99),
    ),
    analyses=dict(
      masking=dict(windows=64),
      heads=dict(windows=64),
      pruned=dict(batch_size=8, windows=64),
      curriculum=dict(batch_size=8, windows=64),
      evaluation=dict(select_windows=64),
      symbolic=dict(samples=2000),
      formula=dict(cue_matrices=100, cue_size=128),
      form_factor=dict(block=256, draws=3, offsets=4),
      prime_waves=dict(
        spacings=8_000, part_spacings=2_000, context_windows=3_000, response_windows=48, draws=20
      ),
      linear=dict(jacobian_windows=64),
      rollout=dict(starts=24, horizon=100, draws=4, rows=32, growing=(10,)),
      yardstick=dict(computed=(), explicit=(100, 1_000, 10_000)),
    ),
  )


def _postfix() -> experiment.Experiment:
  return experiment.Experiment(
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
      steps=80,
      batch_size=64,
      seeds=2,
      dispatch=10,
      evaluate_every=40,
      evaluate_windows=1024,
      checkpoint_every=80,
      snapshot_every=40,
      optimizer=optimizer.Config(
        rate=5e-3, warmup=20, end_rate=1e-4, slow_pattern="memory/.*", slow_factor=0.3
      ),
    ),
    analyses=dict(
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
      slots=dict(
        windows=128,
        random_windows=128,
        block_windows=64,
        quarter_windows=50,
        gradient_batches=8,
        rollouts=24,
        horizons=(1, 10, 50),
      ),
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
    ),
  )
