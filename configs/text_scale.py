"""The published grid of sizes for sums modulo 97, none of which was learned.

  python train.py --config=text_scale:L2_D128 --workdir=runs/text/scale/L2_D128

`:L{2,4,6}_D{128,256,512}` are layers and width: four heads, d_ff = 4 D, AdamW
at 3e-4 for ten epochs (arithmetic spec, section 3), 0.5 to 19 million
parameters. Five seeds where the source had one. On 2 CPU cores the smallest
takes about a quarter of an hour, 15 minutes, the largest ten hours or more;
minutes on a GPU. Expected: no better than a constant, whatever the size.
"""

from primelens.configs import text_sum
from primelens.lens import experiment
from primelens.models import encoder
from primelens.tasks import text

LAYERS, WIDTHS = (2, 4, 6), (128, 256, 512)
VARIANTS = {f"L{layers}_D{width}": (layers, width) for layers in LAYERS for width in WIDTHS}


def get_config(variant: str = "L2_D128") -> experiment.Experiment:
  """Returns the experiment; raises `ValueError` for an unknown variant."""
  if variant not in VARIANTS:
    raise ValueError(f"{variant!r} is not one of {', '.join(VARIANTS)}.")
  layers, width = VARIANTS[variant]
  return experiment.Experiment(
    study="text",
    task=text.Config(question="modk"),
    model=encoder.Config(
      trunk=encoder.encoder_trunk(
        width=width, layers=layers, heads=4, hidden=4 * width, identical_layers=True
      )
    ),
    fit=text_sum.published_fit(rate=3e-4),
  )
