"""Figures from stored results; `getattr(plots, name)(result) -> Figure`.

With its siblings plots_*.py the only files that import matplotlib, and without
pyplot, whose global state outlives a figure.
"""

import io
import os
import pathlib

import matplotlib
from matplotlib import figure as mpl_figure
from primelens.analyses import (
  plots_anchors,
  plots_answers,
  plots_attention,
  plots_calibration,
  plots_causal,
  plots_curriculum,
  plots_embedding,
  plots_form_factor,
  plots_formula,
  plots_fourier,
  plots_fourier_probes,
  plots_geometry,
  plots_gue,
  plots_heads,
  plots_heads_text,
  plots_invariance,
  plots_kernels,
  plots_leak,
  plots_linear,
  plots_masking,
  plots_memory,
  plots_memory_effect,
  plots_neurons,
  plots_nonlinear_probes,
  plots_operators,
  plots_patching,
  plots_perplexity,
  plots_polynomial,
  plots_predictors,
  plots_prime_lines,
  plots_prime_waves,
  plots_probe,
  plots_probes,
  plots_progress,
  plots_pruned,
  plots_readout,
  plots_rollout,
  plots_scale,
  plots_slots,
  plots_spectra,
  plots_subspace,
  plots_weights,
  plots_yardstick,
)

DPI = 130

anchors = plots_anchors.figure
answers = plots_answers.figure
calibration = plots_calibration.figure
causal = plots_causal.figure
curriculum = plots_curriculum.figure
embedding = plots_embedding.figure
form_factor = plots_form_factor.figure
formula = plots_formula.figure
fourier_probes = plots_fourier_probes.figure
geometry = plots_geometry.figure
gue = plots_gue.figure
heads = plots_heads.figure
heads_text = plots_heads_text.figure
invariance = plots_invariance.figure
leak = plots_leak.figure
hermiticity = plots_kernels.hermiticity
kernels = plots_kernels.figure
linear = plots_linear.figure
masking = plots_masking.figure
memory = plots_memory.figure
memory_effect = plots_memory_effect.figure
perplexity = plots_perplexity.figure
nonlinear_probes = plots_nonlinear_probes.figure
fourier = plots_fourier.figure
attention = plots_attention.figure
polynomial = plots_polynomial.figure
neurons = plots_neurons.figure
predictors = plots_predictors.figure
prime_lines = plots_prime_lines.figure
prime_waves = plots_prime_waves.figure
probe = plots_probe.figure
probes = plots_probes.figure
pruned = plots_pruned.figure
readout = plots_readout.figure
slots = plots_slots.figure
subspace = plots_subspace.figure
operators = plots_operators.figure
patching = plots_patching.figure
progress = plots_progress.figure
rollout = plots_rollout.figure
scale = plots_scale.figure
weights = plots_weights.figure
yardstick = plots_yardstick.figure
spectra = plots_spectra.figure


def png(figure: mpl_figure.Figure) -> bytes:
  """Returns the content of a PNG file.

  The same figure gives the same bytes: no date and no program version in it.
  """
  buffer = io.BytesIO()
  with matplotlib.rc_context():  # ticks are made only now; a matplotlibrc may lie in any folder
    matplotlib.rcdefaults()
    figure.savefig(buffer, format="png", dpi=DPI, metadata={"Software": None})
  return buffer.getvalue()


def save(figure: mpl_figure.Figure, path: str | os.PathLike) -> pathlib.Path:
  """Writes the PNG and returns its path."""
  path = pathlib.Path(path)
  path.parent.mkdir(parents=True, exist_ok=True)
  path.write_bytes(png(figure))
  return path
