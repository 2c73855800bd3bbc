"""Networks beside guides: what does each guide contribute on the tail?

  python train.py --config=zeros_guided:every --workdir=runs/zeros_guided/every
  python train.py --config=zeros_guided:gpu --dry_run

A guide is a causal guess of the next spacing that the network is told, weighs
and corrects (studies/zeros/guides.py). The variants differ in their guides
alone, so that their differences show what each contributes: `none`, `height`
(no guess), `ar` (AR(64) fitted on train), `adaptive` (the anchor, refitted on
the way), `waves100`, `waves1000`, `waves10000` (the explicit formula with the
primes up to there), `waves` (these three), and `all`. About 30,000 parameters,
2 seeds, one or two minutes on two CPU cores, guides included. To beat: the
adaptive anchor, -0.912 nats; the waves alone stand at -0.204, -0.545, -0.917
(zeta spec, section 7.1). On 66,560 spacings of the tail `adaptive` reached
-1.263, `waves10000` -1.447 and `every` -2.160; all of them are in the README.

`gpu` is the same at a size for one GPU within an hour: 4.9 million parameters,
windows of 512, primes up to 100,000; `gpu_all` has all guides beside them. Both
have only been run dry.
"""

from primelens.configs import zeros_small
from primelens.lens import experiment
from primelens.models import fit, guided, optimizer, transformer
from primelens.studies.zeros import program
from primelens.tasks import zeros

WINDOW = 128
ALL = ("height", "ar:64", "adaptive", "waves:100", "waves:1000", "waves:10000")
GUIDES: dict[str, tuple[str, ...]] = {
  "none": (),
  "height": ("height",),
  "ar": ("ar:64",),
  "adaptive": ("adaptive",),
  "waves100": ("waves:100",),
  "waves1000": ("waves:1000",),
  "waves10000": ("waves:10000",),
  "waves": ("waves:100", "waves:1000", "waves:10000"),
  # A fresh network is its last guess: the best one.
  "every": ALL,
  "gpu": ("height", "adaptive", "waves:100000"),
  "gpu_all": (*ALL, "waves:100000"),
}
VARIANTS = tuple(name for name in GUIDES if not name.startswith("gpu"))  # of `:all`


def get_config(variant: str = "every") -> experiment.Experiment:
  """Returns the experiment; raises `ValueError` for another variant."""
  if variant not in GUIDES:
    raise ValueError(f"{variant!r} is not one of {', '.join(GUIDES)}.")
  config = experiment.Experiment(
    study="zeros",
    task=zeros.Config(split="published_tail", window=WINDOW, recent=200_000),
    model=guided.Config(window=WINDOW, guides=GUIDES[variant], trunk=zeros_small.trunk(WINDOW)),
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
  return _on_gpu(config) if variant.startswith("gpu") else config


def _on_gpu(config: experiment.Experiment) -> experiment.Experiment:
  """Returns the experiment with a wide network and a million spacings."""
  window = 512
  config.task.window = config.model.window = window
  config.task.recent = 1_000_000
  config.model.components = 8
  config.model.trunk = transformer.Config(
    width=256,
    layers=6,
    heads=8,
    hidden=1024,
    max_positions=window,
    dropout=0.0,
    embed_dropout=0.0,
    dtype="bfloat16",
  )
  config.fit = fit.Config(
    steps=15_000,
    batch_size=128,
    seeds=2,
    evaluate_every=500,
    evaluate_windows=256,
    checkpoint_every=1000,
    optimizer=optimizer.Config(rate=5e-4, warmup=500, end_rate=1e-5, beta2=0.99),
  )
  config.analyses.evaluation = program.Evaluation(min_context=256)
  return config
