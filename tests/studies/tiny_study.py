"""Tiny studies for the tests: a config file, and runs made by hand.

As a file with `get_config` it can be given to `train.py --config=`.
"""

import atexit
import contextlib
import dataclasses
import functools
import io
import shutil
import tempfile
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import scipy.signal
from primelens.lens import experiment, study
from primelens.lens import train as train_lib
from primelens.models import fit, optimizer, spacing, transformer
from primelens.models import mixture as mixture_lib
from primelens.studies.zeros import program
from primelens.tasks import surrogates, windows

T = 16


def call(main, *argv: str) -> tuple[int, str, str]:
  """Returns exit code, stdout and stderr of a command line, in this process."""
  out, err = io.StringIO(), io.StringIO()
  with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
    code = main(["program", *map(str, argv)])
  return code, out.getvalue(), err.getvalue()


def files(folder: Path) -> dict[str, bytes]:
  """Returns every file below a folder with its content."""
  return {
    str(path.relative_to(folder)): path.read_bytes()
    for path in sorted(folder.rglob("*"))
    if path.is_file()
  }


def train(workdir: Path, *flags: str) -> tuple[int, str, str]:
  """Trains this file's experiment in a directory, as the command would."""
  config = f"--config={__file__}"
  return call(train_lib.main, config, f"--workdir={workdir}", *flags)


@functools.cache
def trained(memory: str = "none") -> Path:
  """Returns a trained run, made once per process; copy it, change it not."""
  folder = Path(tempfile.mkdtemp())
  atexit.register(shutil.rmtree, folder, ignore_errors=True)
  code, _, err = train(folder / memory, f"--config.model.memory={memory}")
  if code:
    raise RuntimeError(err)
  return folder / memory


# Settings that take seconds. Batches divide the windows, and select has as many windows as test:
# the rest of a division is a forward pass of its own to compile.
TINY: dict[str, dict[str, Any]] = {
  "evaluation": dict(select_windows=16, min_context=8, batch=4),
  "bootstrap": dict(block=20, samples=40),
  "masking": dict(ratios=(0.0, 0.5, 0.9), windows=16),
  "heads": dict(windows=16, sweep_batch=2),
  "pruned": dict(kept=(0.25,), draws=1, steps=3, batch_size=4, windows=16),
  "curriculum": dict(taps=4, hidden=4, nodes=16, steps=3, batch_size=4, windows=16),
  "formula": dict(samples=216, cue_matrices=8, cue_size=24),
  "symbolic": dict(samples=100),
  "linear": dict(long_order=4, jacobian_windows=8, samples=216),
  "kernels": dict(windows=8, published_windows=16, restarts=4, unfolded_bins=16),
  "hermiticity": dict(draws=40, slot_draws=100),
  "perplexity": dict(windows=16, positions=1),
  "memory_effect": dict(warm_up=2, context=4, tokens=64, trajectories=4, repeats=2),
  "slots": dict(
    windows=16,
    draws=2,
    random_windows=8,
    remeasurements=20,
    blocks=2,
    block_windows=8,
    quarter_windows=2,
    gradient_batches=2,
    gradient_batch=4,
    attention_windows=4,
    rollouts=2,
    horizons=(1, 4),
  ),
  "leak": dict(windows=16, pattern_windows=8),
  "rollout": dict(starts=4, horizon=20, draws=2, rows=3, growing=(4,)),
  "calibration": dict(samples=144, crps_draws=8, quantile_draws=20),
  "selection": dict(windows=8),
  "gue": dict(blocks=4, least=50, matrices=4, size=50, stretch=100, shuffles=4),
  "prime_lines": dict(stretches=2, spacings=500, limit=50, draws=20, cue_draws=1, cue_size=50),
  "yardstick": dict(spacings=90, computed=(), past=600, errors=50, explicit=(10,)),
  "prime_waves": dict(
    spacings=144,
    limit=50,
    draws=20,
    part_spacings=72,
    contexts=(2, 8),
    context_windows=40,
    orders=(3,),
    explicit=(10,),
    response_windows=8,
    response_limit=10,
    planted=3,
  ),
  "predictors": dict(samples=72, lags=(1, 2), orders=(3,), cue_matrices=2, cue_size=20),
  "form_factor": dict(block=16, tau_step=1 / 16, lengths=(0.5, 2.0), draws=2, offsets=2),
  "operators": dict(size=60, draws=2, samples=4, sites=256, density=1 / 8),
}


def tiny_settings() -> program.Settings:
  """Returns analysis settings that take seconds."""
  settings = study.find("zeros").settings()
  changes = {
    name: dataclasses.replace(getattr(settings, name), **values) for name, values in TINY.items()
  }
  return dataclasses.replace(settings, **changes)


def tiny_model(memory: str = "none", **options) -> spacing.Config:
  """Returns a spacing model of two layers, two heads and width 8."""
  trunk = dict(dropout=0.0, embed_dropout=0.0, init_std=0.1)
  return spacing.Config(
    window=T,
    memory=memory,
    slots=2,
    components=2,
    trunk=transformer.Config(width=8, layers=2, heads=2, hidden=16, max_positions=T + 2, **trunk),
    **options,
  )


def get_config(memory: str = "none") -> experiment.Experiment:
  """Returns an experiment that trains in seconds."""
  return experiment.Experiment(
    task=surrogates.Config(
      ensemble="poisson", count=4000, window=T, gap=20, split="published_tail"
    ),
    model=tiny_model(memory),
    fit=fit.Config(
      steps=20,
      batch_size=8,
      seeds=2,
      first_seed=3,
      dispatch=5,
      evaluate_every=10,
      evaluate_windows=8,
      checkpoint_every=10,
      snapshot_every=10,
      optimizer=optimizer.Config(rate=1e-2),
    ),
    analyses=tiny_settings(),
  )


def ar(phi_Q, count: int, *, scale: float = 0.2, seed: int = 0) -> np.ndarray:
  """Returns value_N with s_n - 1 = sum_q phi_q (s_{n-q} - 1) + scale e_n."""
  noise_N = np.random.default_rng(seed).normal(0, scale, count + 100)
  r_N = scipy.signal.lfilter([1], np.append(1, np.negative(phi_Q)), noise_N)
  return (1 + r_N[100:]).astype(np.float32)


def gaussian(mean_BxU, scale) -> mixture_lib.Mixture:
  """Returns one normal density per mean, as a mixture of one component."""
  mean_BxUx1 = jnp.asarray(mean_BxU)[..., None]
  return mixture_lib.Mixture(
    jnp.zeros_like(mean_BxUx1), mean_BxUx1, jnp.full_like(mean_BxUx1, scale)
  )


def normal_nll(error, scale: float = 1.0):
  """Returns -ln N(error; 0, scale^2) in float64."""
  z = np.asarray(error, np.float64) / scale
  return 0.5 * np.log(2 * np.pi) + np.log(scale) + 0.5 * z**2


@dataclasses.dataclass(frozen=True)
class HandmadeRun(program.Run):
  """A run that was never trained; `fresh_S` stands for the untrained null."""

  fresh_S: Any = None

  def untrained_S(self):
    return self.fresh_S


def handmade(
  apply_fn,
  params_S,
  value_N,
  *,
  model: spacing.Config | None = None,
  splits=None,
  changed=None,
  fresh_S=None,
) -> HandmadeRun:
  """Returns a run around any forward pass, parameters and sequence.

  `changed` maps names such as "masking.windows" to analysis settings.
  """
  model = model or tiny_model()
  leaves_S = jax.tree.leaves(params_S)
  seeds = len(leaves_S[0]) if leaves_S else 1  # a pass may have no parameters
  analyses = tiny_settings()
  for name, value in (changed or {}).items():
    section, field = name.split(".")
    setattr(getattr(analyses, section), field, value)
  return HandmadeRun(
    workdir=Path("handmade"),
    experiment=experiment.Experiment(
      task=surrogates.Config(window=model.window),
      model=model,
      fit=fit.Config(first_seed=3, seeds=seeds),
      analyses=analyses,
    ),
    data=windows.Series(
      value_N=np.asarray(value_N, np.float32),
      splits=splits or windows.contiguous(len(value_N), window=model.window, gap=50),
      window=model.window,
      data_hash="",
    ),
    params_S=params_S,
    step=0,
    apply=apply_fn,
    manifest={"seeds": []},
    fresh_S=fresh_S,
  )
