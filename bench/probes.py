"""Permuted ridge probes in one program beside loops of scikit-learn.

    python bench/probes.py [--quick]

100 permutations and the true labels x 22 positions x 5 networks: 11,110 ridge
regressions of 1,600 states of 128 features, scored on 400 more. The states are
those of fresh encoders that read sums modulo 97 (`text:modk`). One peer is
a loop that fits one `Ridge` after another, the other one `Ridge` per network
and position with all labels as targets. R2 that differ by more than 1e-4 stop
the bench.
"""

import json
import time

import jax
import jax.numpy as jnp
import numpy as np
import side_by_side
import sklearn
from primelens import tasks
from primelens.analyses import linear
from primelens.configs import text as text_configs
from primelens.lens import cli
from primelens.models import encoder
from sklearn import linear_model

SEEDS, PERMUTATIONS = 5, 100
ROWS, FITTED = 2000, 1600
WORST = 1e-4


def states() -> tuple[np.ndarray, np.ndarray]:
  """Returns states of networks and positions, SxTxNxD, and x + y with its
  permutations, NxK."""
  config = text_configs.get_config("modk")
  prompts = tasks.load(config.task)
  token_NxT = prompts.token_NxT[prompts.select_N[:ROWS]]
  keys_S = jax.random.split(jax.random.key(0), SEEDS)

  def one(key):
    params = encoder.init(config.model, key)
    return encoder.states(config.model, params, token_NxT)[0].swapaxes(0, 1)

  sum_N = (prompts.x_N + prompts.y_N)[prompts.select_N[:ROWS]]
  rng = np.random.default_rng(0)
  permuted = [rng.permutation(sum_N) for _ in range(PERMUTATIONS)]
  state_SxTxNxD = np.asarray(jax.jit(lambda keys: jax.lax.map(one, keys))(keys_S))
  return state_SxTxNxD, np.stack([sum_N, *permuted], -1).astype(np.float32)


@jax.jit
def ours(state_ExNxD, label_NxK):
  """Returns R2 of every cell and label, ExK."""

  def cell(state_NxD):
    fit = linear.ridge(state_NxD[:FITTED], label_NxK[:FITTED])
    guess_NxK = fit.predict(state_NxD[FITTED:])
    return linear.r2_scored(label_NxK[FITTED:], guess_NxK)

  return jax.lax.map(cell, state_ExNxD)


def one_by_one(state_NxD, label_NxK) -> np.ndarray:
  """Returns R2 of every label, one scikit-learn fit each, K."""
  fit = lambda label_N: (
    linear_model.Ridge(1.0)
    .fit(state_NxD[:FITTED], label_N[:FITTED])
    .score(state_NxD[FITTED:], label_N[FITTED:])
  )
  return np.array([fit(label_N) for label_N in label_NxK.T])


def together(state_NxD, label_NxK) -> np.ndarray:
  """Returns R2 of every label, one scikit-learn fit of all of them, K."""
  fit = linear_model.Ridge(1.0).fit(state_NxD[:FITTED], label_NxK[:FITTED])
  left_NxK = label_NxK[FITTED:] - fit.predict(state_NxD[FITTED:])
  return 1 - np.mean(left_NxK**2, 0) / label_NxK[FITTED:].var(0)


def timed(side, *arguments):
  """Returns `timed(steps)` of calls of a side."""

  def turns(steps: int) -> float:
    began = time.perf_counter()
    for _ in range(steps):
      jax.block_until_ready(side(*arguments))
    return time.perf_counter() - began

  return turns


def measure(options) -> list[dict]:
  """Returns a row per peer; times are of all cells."""
  state_SxTxNxD, label_NxK = states()
  state_ExNxD = state_SxTxNxD.reshape(-1, *state_SxTxNxD.shape[2:])
  cells, first = len(state_ExNxD), state_ExNxD[0]
  began = time.perf_counter()
  r2_ExK = np.asarray(ours(jnp.asarray(state_ExNxD), label_NxK))
  compile_seconds = time.perf_counter() - began
  # A whole loop of scikit-learn takes minutes: a turn is some of its cells.
  peers = {"one by one": one_by_one, "all labels at once": together}
  gap = max(float(np.abs(side(first, label_NxK) - r2_ExK[0]).max()) for side in peers.values())
  if gap > WORST:
    raise SystemExit(f"R2 differ by {gap:.1e}.")
  sides = {"ours": timed(ours, jnp.asarray(state_ExNxD), label_NxK)}
  sides |= {name: timed(side, first, label_NxK) for name, side in peers.items()}
  rounds, seconds = (3, 0.5) if options.quick else (9, 3)
  taken = side_by_side.alternate(sides, rounds, seconds)
  return [
    side_by_side.row(
      f"{cells * label_NxK.shape[1]:,} ridge probes",
      "seconds",
      taken["ours"],
      taken[name] * cells,
      peer_name=f"scikit-learn, {name}",
      devices=1,
      versions={"scikit-learn": sklearn.__version__},
      first_call_seconds=compile_seconds,
      largest_gap=gap,
    )
    for name in peers
  ]


def main():
  options = side_by_side.parser(__doc__).parse_args()
  cli.use_cores(1)
  rows = measure(options)
  for row in rows:
    print(
      f"{row['name']}: {row['ours']:.2f} s, {row['peer_name']} "
      f"{row['peer']:.1f} s ({row['ratio']:.1f} x)"
    )
  print(json.dumps(rows))


if __name__ == "__main__":
  main()
