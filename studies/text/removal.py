"""A subspace of states removed or exchanged, read by the network's own readout or layers.

Shared by the slices that remove directions. Traced, of one member and one subspace; donors are
the next rows.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from primelens.analyses import patching, sweeps
from primelens.models import encoder, tokens
from primelens.studies.text import program, states
from primelens.tasks import text as text_lib

REMOVED, MATCHED, EXCHANGED = range(3)  # what is done with a subspace
_exact = lambda a, b: jnp.matmul(a, b, precision=jax.lax.Precision.HIGHEST)


def read(model: encoder.Config, params, token_BxT) -> dict:
  """Returns a network's states at the last character, BxExD, and answers."""
  state_ExBxTxD = states.all_levels(model, params, token_BxT)
  last = jax.vmap(encoder.pooled, (0, None))(state_ExBxTxD, token_BxT)
  return {"state": jnp.moveaxis(last, 0, 1), "output": encoder.readout(params, last[-1])}


def losses(output_NxV, target_N) -> jax.Array:
  """Returns squared errors, or NLL in nats, N."""
  if output_NxV.shape[-1] == 1:
    return (output_NxV[:, 0] - target_N) ** 2
  return tokens.margin_nll(output_NxV, target_N)


_losses_S = jax.jit(jax.vmap(losses, (0, None)))


def measures(output_NxV, clean_NxV, target_N) -> dict:
  """Returns the loss and accuracy of changed answers, the same about the next
  row's target, and the share of the way to the next row's answer.

  The accuracy of numbers is NaN.
  """
  about = lambda x_NxV: x_NxV - (x_NxV.mean(-1, keepdims=True) if x_NxV.shape[-1] > 1 else 0)
  donor_N = jnp.roll(target_N, -1)
  best_N = output_NxV.argmax(-1)
  right = lambda label_N: jnp.mean(best_N == label_N) if output_NxV.shape[-1] > 1 else jnp.nan
  return {
    "loss": losses(output_NxV, target_N).mean(),
    "accuracy": right(target_N),
    "donor_loss": losses(output_NxV, donor_N).mean(),
    "donor_accuracy": right(donor_N),
    "moved": patching.slope(about(output_NxV), about(clean_NxV), about(jnp.roll(clean_NxV, -1, 0))),
  }


def by_readout(bundle, index, target_N) -> dict:
  """Returns the measures of one subspace of the final states, by what is done
  (REMOVED, MATCHED, EXCHANGED).

  A bundle has `state_NxD`, `output_NxV`, `mean_D`, the subspaces' `read_RxDxK`,
  `write_RxDxK` and `strength_R`, and the readout's `head_DxV`.
  """
  clean_NxV, mean_D = bundle["output_NxV"], bundle["mean_D"]
  inside_NxK = _exact(bundle["state_NxD"] - mean_D[None], bundle["read_RxDxK"][index])
  said_KxV = _exact(bundle["write_RxDxK"][index].T, bundle["head_DxV"])
  gone_NxV = _exact(inside_NxK, said_KxV)
  others_NxV = jnp.roll(gone_NxV, -1, axis=0)
  changed = [
    clean_NxV - gone_NxV,
    clean_NxV - bundle["strength_R"][index] * gone_NxV,
    clean_NxV - gone_NxV + others_NxV,
  ]
  found = [measures(output_NxV, clean_NxV, target_N) for output_NxV in changed]
  return jax.tree.map(lambda *parts: jnp.stack(parts), *found)


@functools.cache
def by_network(apply, layers: int):
  """Returns `f(bundle, cell, token_NxT, target_N) -> measures` with a subspace
  of one level removed or exchanged at the last character, and all layers after
  that level run.

  A cell has `level`, `index` and `way` (MATCHED or EXCHANGED); the bundle is
  that of `by_readout` with an axis E for levels, and the network's params.
  """

  def score(bundle, cell, token_NxT, target_N):
    level, index = cell["level"], cell["index"]
    donor_NxD = jnp.roll(bundle["state_ExNxD"][level], -1, axis=0)
    removed = cell["way"] == MATCHED
    centre_NxD = jnp.where(removed, bundle["mean_ExD"][level][None], donor_NxD)
    strength = jnp.where(removed, bundle["strength_ExR"][level, index], 1)
    length_N = jnp.sum(encoder.keep(token_NxT), axis=1)
    change = patching.along(
      centre_NxD,
      bundle["read_ExRxDxK"][level, index],
      strength * bundle["write_ExRxDxK"][level, index],
      patching.at(length_N - 1, token_NxT.shape[1]),
    )
    output_NxV, _ = apply(bundle["params"], token_NxT, edits=patching.edits(change, level, layers))
    return measures(output_NxV, bundle["output_NxV"], target_N)

  return score


def over(score, bundle_S, cells_R, *data) -> dict[str, np.ndarray]:
  """Returns the measures of all members and cells, SxR before their axes."""
  found = sweeps.over(
    score,
    bundle_S,
    cells_R,
    data=data,
    batch_size=1,
  )
  return {name: np.asarray(x, float) for name, x in found.items()}


def targets(prompts: text_lib.Text) -> dict[str, np.ndarray]:
  """Returns what is probed, NxF each: the sum; for sums modulo k cosines and
  sines of all frequencies of the residue; whether a shown sum is right.

  Columns have unit variance.
  """
  sum_N = (prompts.x_N + prompts.y_N).astype(float)
  found = {"sum": sum_N[:, None]}
  if prompts.config.question == "modk":
    k = prompts.config.modulus
    frequency_Q = np.arange(1, max((k - 1) // 2, 1) + 1)
    angle_NxQ = 2 * np.pi / k * sum_N[:, None] * frequency_Q
    wave_NxQx2 = np.stack([np.cos(angle_NxQ), np.sin(angle_NxQ)], -1)
    found["residue"] = wave_NxQx2.reshape(len(sum_N), -1)
  if prompts.config.question == "valid":
    found["label"] = prompts.answer_N[:, None].astype(float)
  scaled = lambda y_NxF: y_NxF / np.maximum(y_NxF.std(0), 1e-6)
  return {name: scaled(y_NxF).astype(np.float32) for name, y_NxF in found.items()}


class Rows:
  """Fresh prompts, states and answers of every member, fit and test part."""

  def __init__(self, run):
    prompts = run.probes()
    fit_N, test_N = prompts.train_N, prompts.test_N
    of = lambda row_N: states.over_members(read, run, prompts.token_NxT[row_N])
    test = of(test_N)
    self.token_NxT = prompts.token_NxT[test_N]
    self.fit_SxNxExD = of(fit_N)["state"]
    self.test_SxNxExD = test["state"]
    self.output_SxNxV = test["output"]
    self.feature_NxF = {name: y_NxF[fit_N] for name, y_NxF in targets(prompts).items()}
    self.sum_Nx1 = targets(prompts)["sum"][test_N]
    self.mean_SxExD = self.fit_SxNxExD.mean(1, dtype=np.float64)
    self.head_SxDxV = np.asarray(run.params_S["readout"]["kernel"])
    self.target_N = program.targets(run.experiment.model, prompts)[test_N]
    self.constant_N = constant(run, prompts.answer_N[test_N])
    self.loss_SxN = np.asarray(_losses_S(self.output_SxNxV, self.target_N), float)
    self.intact_loss_S = self.loss_SxN.mean(-1)

  def skill(self, loss, rows=None):
    """Returns 1 - loss / that of a constant over the first rows."""
    return 1 - loss / self.constant_N[:rows].mean()

  def bundle(self, read_SxRxDxK, write_SxRxDxK, strength_SxR=None) -> dict:
    """Returns what `by_readout` takes."""
    if strength_SxR is None:
      strength_SxR = np.ones(read_SxRxDxK.shape[:2])
    arrays = {
      "state_NxD": self.test_SxNxExD[:, :, -1],
      "output_NxV": self.output_SxNxV,
      "mean_D": self.mean_SxExD[:, -1],
      "read_RxDxK": read_SxRxDxK,
      "write_RxDxK": write_SxRxDxK,
      "strength_R": strength_SxR,
      "head_DxV": self.head_SxDxV,
    }
    return {k: np.asarray(v, np.float32) for k, v in arrays.items()}


def constant(run, answer_N) -> np.ndarray:
  """Returns the losses of a constant answer, in the units of the targets."""
  text = run.prompts
  train_N = text.answer_N[text.train_N]
  if run.regression:
    return ((answer_N - train_N.mean()) / run.experiment.task.scale) ** 2
  blank_1xNxV = np.zeros((1, len(answer_N), run.experiment.model.outputs))
  return states.classes(blank_1xNxV, answer_N, train_N)["constant_N"]
