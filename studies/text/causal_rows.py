"""Fresh prompts of the causal tests: states, answers, a constant's losses."""

import jax
import numpy as np
from primelens.studies.text import answers, program, states
from primelens.studies.text import causal_scores as scores
from primelens.studies.text import causal_subspaces as subspaces


class Rows:
  """Fresh prompts, states and answers of every member, fit and test part."""

  def __init__(self, run):
    prompts = run.probes()
    fit_N, test_N = prompts.train_N, prompts.test_N
    read = lambda row_N: states.over_members(scores.read, run, prompts.token_NxT[row_N])
    test = read(test_N)
    self.token_NxT = prompts.token_NxT[test_N]
    self.fit_SxNxExD = read(fit_N)["state"]
    self.test_SxNxExD = test["state"]
    self.output_SxNxV = test["output"]
    self.feature_NxF = {name: y_NxF[fit_N] for name, y_NxF in subspaces.targets(prompts).items()}
    self.sum_Nx1 = subspaces.targets(prompts)["sum"][test_N]
    self.mean_SxExD = self.fit_SxNxExD.mean(1, dtype=np.float64)
    self.head_SxDxV = np.asarray(run.params_S["readout"]["kernel"])
    self.target_N = program.targets(run.experiment.model, prompts)[test_N]
    self.constant_N = constant(run, prompts.answer_N[test_N])
    loss = jax.vmap(scores.losses, (0, None))
    self.loss_SxN = np.asarray(loss(self.output_SxNxV, self.target_N), float)
    self.intact_loss_S = self.loss_SxN.mean(-1)

  def skill(self, loss, rows=None):
    """Returns 1 - loss / that of a constant over the first rows."""
    return 1 - loss / self.constant_N[:rows].mean()

  def bundle(self, read_SxRxDxK, write_SxRxDxK, strength_SxR=None) -> dict:
    """Returns what `scores.by_readout` takes."""
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
  return answers.classes(blank_1xNxV, answer_N, train_N)["constant_N"]
