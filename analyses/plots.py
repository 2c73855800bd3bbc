"""Figures from stored results; `getattr(plots, name)(result) -> Figure`.

With its siblings plots_*.py the only files that import matplotlib, and without
pyplot, whose global state outlives a figure.
"""

import io
import os
import pathlib

from matplotlib import figure as mpl_figure
from primelens.analyses import plots_anchors
from primelens.analyses import plots_answers
from primelens.analyses import plots_attention
from primelens.analyses import plots_calibration
from primelens.analyses import plots_causal
from primelens.analyses import plots_curriculum
from primelens.analyses import plots_embedding
from primelens.analyses import plots_form_factor
from primelens.analyses import plots_formula
from primelens.analyses import plots_fourier
from primelens.analyses import plots_fourier_probes
from primelens.analyses import plots_geometry
from primelens.analyses import plots_gue
from primelens.analyses import plots_heads
from primelens.analyses import plots_heads_text
from primelens.analyses import plots_invariance
from primelens.analyses import plots_kernels
from primelens.analyses import plots_leak
from primelens.analyses import plots_linear
from primelens.analyses import plots_masking
from primelens.analyses import plots_memory
from primelens.analyses import plots_memory_effect
from primelens.analyses import plots_neurons
from primelens.analyses import plots_nonlinear_probes
from primelens.analyses import plots_operators
from primelens.analyses import plots_patching
from primelens.analyses import plots_perplexity
from primelens.analyses import plots_polynomial
from primelens.analyses import plots_predictors
from primelens.analyses import plots_prime_lines
from primelens.analyses import plots_prime_waves
from primelens.analyses import plots_probe
from primelens.analyses import plots_probes
from primelens.analyses import plots_progress
from primelens.analyses import plots_pruned
from primelens.analyses import plots_readout
from primelens.analyses import plots_rollout
from primelens.analyses import plots_scale
from primelens.analyses import plots_slots
from primelens.analyses import plots_spectra
from primelens.analyses import plots_subspace
from primelens.analyses import plots_weights
from primelens.analyses import plots_yardstick

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


def save(figure: mpl_figure.Figure, path: str | os.PathLike) -> pathlib.Path:
  """Writes the PNG, replaced at once, and returns its path.

  The same figure gives the same bytes: no date and no program version in it.
  """
  path = pathlib.Path(path)
  path.parent.mkdir(parents=True, exist_ok=True)
  buffer = io.BytesIO()
  figure.savefig(buffer, format="png", dpi=DPI, metadata={"Software": None})
  temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
  try:
    temporary.write_bytes(buffer.getvalue())
    os.replace(temporary, path)
  finally:
    temporary.unlink(missing_ok=True)
  return path
