"""Analysis `spectra` of adders: every matrix over training (primes spec 7.4).

Beside them stand the accuracies of train and test pairs at the same steps,
which the source does not show.
"""

import jax
import jax.numpy as jnp
import numpy as np
from primelens.models import tokens
from primelens.studies import spectra
from primelens.studies.addition import snapshots, tables

ROWS = 1024  # pairs in one forward pass


def run(run) -> spectra.Result:
  """Returns the spectra of a run over its snapshots, if there are any."""
  return spectra.read(run, dead=(), scores=_scores, population=tables.population(run))


def _scores(run, step_C: np.ndarray) -> spectra.Scores:
  if not len(step_C):
    none = np.zeros((run.experiment.fit.seeds, 0))
    return spectra.Scores(none, none, "accuracy")
  found = snapshots.over_members(_accuracies, run)
  return spectra.Scores(found["train"], found["test"], "accuracy")


def _accuracies(model, params, member, token_Nx3, extra) -> dict:
  """Returns the share of a member's train and test pairs that are right."""
  del extra
  logits = lambda token_3: tokens.apply(model, params, token_3[None])[0][0]
  logit_NxV = jax.lax.map(logits, token_Nx3, batch_size=ROWS)
  hit_N = jnp.argmax(logit_NxV, axis=-1) == member.label_N
  return {"train": hit_N[member.train_N].mean(), "test": hit_N[member.test_N].mean()}
