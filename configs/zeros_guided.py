"""Networks beside guides: what does each guide contribute on the tail?

  python train.py --config=zeros_guided:all --workdir=runs/zeros_guided
  python train.py --config=zeros_guided:gpu --dry_run

A guide is a causal guess of the next spacing that the network is told, weighs and corrects
(studies/zeros/guides.py). The variants differ in their guides alone, so that their differences show
what each contributes. About 30,000 parameters, 2 seeds, one or two minutes on two CPU cores, guides
included. To beat: the adaptive anchor, -0.912 nats; the waves alone stand at -0.204, -0.545, -0.917
(docs/sources/zeros.md, section 7.1). What each reached is in docs/results/zeros.md.

Those of `gpu` are the same at a size for one GPU within an hour: 4.9 million parameters, windows of
512. They have only been run dry.
"""

from primelens.configs import zeros_small
from primelens.lens import experiment
from primelens.models import fit, guided, optimizer, transformer
from primelens.tasks import zeros

EVERY = ("height", "ar:64", "adaptive", "waves:100", "waves:1000", "waves:10000")
SMALL: dict[str, tuple[str, ...]] = {
  # A fresh network is its last guess: the best one.
  "every": EVERY,
  "none": (),
  "height": ("height",),  # no guess
  "ar": ("ar:64",),  # AR(64) fitted on train
  "adaptive": ("adaptive",),  # the anchor, refitted on the way
  # The explicit formula with the primes up to there.
  "waves100": ("waves:100",),
  "waves1000": ("waves:1000",),
  "waves10000": ("waves:10000",),
  "waves": ("waves:100", "waves:1000", "waves:10000"),
}
GPU: dict[str, tuple[str, ...]] = {
  "gpu": ("height", "adaptive", "waves:100000"),
  "gpu_every": (*EVERY, "waves:100000"),
}
VARIANTS = SMALL | GPU
GROUPS = {"all": tuple(SMALL)}


def get_config(variant: str = "every") -> experiment.Experiment:
  """Returns the experiment; raises `ValueError` for another variant."""
  experiment.chosen(variant, VARIANTS)
  return _on_gpu(variant) if variant in GPU else _small(variant)


def _small(variant: str) -> experiment.Experiment:
  """Returns the experiment for two CPU cores."""
  window = 128
  return experiment.Experiment(
    task=zeros.Config(split="published_tail", window=window, recent=200_000),
    model=guided.Config(window=window, guides=SMALL[variant], trunk=zeros_small.trunk(window)),
    fit=fit.Config(
      steps=600,
      batch_size=32,
      seeds=2,
      dispatch=10,
      evaluate_every=100,
      evaluate_windows=256,
      checkpoint_every=200,
      optimizer=optimizer.Config(rate=5e-3, warmup=20, end_rate=1e-5, beta2=0.99),
    ),
    analyses=dict(evaluation=dict(windows=1024, select_windows=128, min_context=64)),
  )


def _on_gpu(variant: str) -> experiment.Experiment:
  """Returns the experiment with a wide network and a million spacings."""
  window = 512
  return experiment.Experiment(
    task=zeros.Config(split="published_tail", window=window, recent=1_000_000),
    model=guided.Config(
      window=window,
      guides=GPU[variant],
      components=8,
      trunk=transformer.Config(
        max_positions=window, dropout=0.0, embed_dropout=0.0, dtype="bfloat16"
      ),
    ),
    fit=fit.Config(
      steps=15_000,
      batch_size=128,
      seeds=2,
      evaluate_windows=256,
      checkpoint_every=1000,
      optimizer=optimizer.Config(rate=5e-4, warmup=500, end_rate=1e-5, beta2=0.99),
    ),
    analyses=dict(evaluation=dict(min_context=256)),
  )
