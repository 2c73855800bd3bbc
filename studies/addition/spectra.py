"""Does grokking compress the weights?

The repository svd-prime-grokking, source of the study `primes`, showed that the effective rank of
attention matrices falls in a network that groks modular addition, and took the fall for the change
from remembering to understanding. It showed no accuracy beside it.

Here the accuracies of train and test pairs stand at the same steps, and networks that generalise
beside networks that never do (with permuted labels) and networks without weight decay: what falls
in all of them is no sign of understanding. Every matrix is set beside noise of its shape and scale
and beside its own start. Source: docs/sources/primes.md, section 7.4.
"""

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from primelens.lens import claims
from primelens.lens import numbers as reported
from primelens.lens import tables as tables_lib
from primelens.models import tokens
from primelens.studies import spectra
from primelens.studies.addition import network, program

ROWS = 1024  # pairs in one forward pass

# --- the result -----------------------------------------------------------------------------------


def measure(run) -> xr.Dataset:
  """Returns the spectra of a run over its snapshots, if there are any."""
  found = spectra.read(run, dead=(), scores=_scores)
  return program.dataset(run, found.variables, found.coords, **found.attrs)


def _scores(run, step_C: np.ndarray) -> spectra.Scores:
  if not len(step_C):
    none = np.zeros((run.experiment.fit.seeds, 0))
    return spectra.Scores(none, none, "accuracy")
  found = network.over_snapshots(_accuracies, run)
  return spectra.Scores(found["train"], found["test"], "accuracy")


def _accuracies(model, params, member, token_Nx3, extra) -> dict:
  """Returns the share of a member's train and test pairs that are right."""
  del extra
  logits = lambda token_3: tokens.apply(model, params, token_3[None])[0][0]
  logit_NxV = jax.lax.map(logits, token_Nx3, batch_size=ROWS)
  hit_N = jnp.argmax(logit_NxV, axis=-1) == member.label_N
  return {"train": hit_N[member.train_N].mean(), "test": hit_N[member.test_N].mean()}


# --- figures and tables ---------------------------------------------------------------------------


def figures(runs) -> dict:
  """Returns a page for each run and, of several, one that compares them over training."""
  pages = {run: spectra.page(run, found) for run, found in runs.items()}
  pages |= {f"{run}, levels": spectra.levels_page(run, found) for run, found in runs.items()}
  if len(runs) < 2:
    return pages
  return {"all runs": spectra.over_training(runs)} | pages


def tables(runs) -> list[tables_lib.Table]:
  """Returns the source's metrics over training, every matrix of all runs, their levels, and the
  source's own numbers."""
  return [
    training_table(runs),
    spectra.table(runs),
    spectra.level_table(runs),
    spectra.published_table(runs),
  ]


TIMES = 9  # snapshots of a run in the table, besides those at which it generalises
AVERAGED = {
  "effective_rank": "effective rank",
  "max_to_mean": "largest over mean",
  "ks_unit_as_published": "distance from noise of unit variance",
}


def training_table(runs) -> tables_lib.Table:
  """Returns the source's three metrics over training, with the accuracies beside them."""
  return tables_lib.Table(
    "Attention matrices over training, averaged as in the source (docs/sources/primes.md, section"
    " 7.4), and the accuracies that it does not show: medians over networks.",
    tables_lib.by_run(runs, _over_training),
    {"train accuracy": ".3f", "test accuracy": ".3f"},
    name="training",
  )


def _over_training(found: xr.Dataset):
  """Yields snapshots evenly over training, and those between which half of the test pairs are
  known in the median."""
  step_C = found["step"].values
  if not len(step_C):
    return
  score = {f"{part} accuracy": np.median(found[part].values, axis=0) for part in ("train", "test")}
  value = {
    words: np.median(
      spectra.over_attention(found, found["metric_value"].sel(metric=name).values), axis=0
    )
    for name, words in AVERAGED.items()
  }
  chosen = set(np.linspace(0, len(step_C) - 1, TIMES).round().astype(int).tolist())
  known_C = score["test accuracy"] >= HALF
  if known_C.any() and not known_C[0]:
    first = int(np.argmax(known_C))
    chosen |= {first - 1, first}
  for at in sorted(chosen):
    row = {"networks": found.sizes["seed"], "step": int(step_C[at])}
    yield row | {words: value_C[at].item() for words, value_C in (score | value).items()}


# --- claims ---------------------------------------------------------------------------------------

CLAIMS = claims.Claims()
REPOSITORY = "benjiesun666-gif/svd-prime-grokking (2026-02-05 to 2026-04-01)"
LEARNED = 0.9  # test accuracy at the end of a member that generalises
HALF = 0.5  # test accuracy from which on it is said to
FELL = 0.5  # of the rank of noise: below it the weights are compressed
SEVERAL = 3  # members, of each kind, that decide


def before(share_C: np.ndarray, test_C: np.ndarray) -> float:
  """Returns the share of the fall that came before test accuracy did."""
  first = int(np.argmax(np.asarray(test_C) >= HALF))
  fall = 1 - share_C[-1]
  return float((1 - share_C[first]) / fall) if fall > 0 else np.nan


def members(results) -> dict[str, list]:
  """Returns the records of all members, by what they did: those that
  generalise, those that never do, and those without weight decay."""
  found: dict[str, list] = {"learned": [], "never": [], "no decay": []}
  for table in results.values():
    its = table.get("spectra")
    if its is None or not its.sizes["step"]:
      continue
    test_SxC = its["test"].values
    for share_C, test_C in zip(spectra.attention_ranks(its), test_SxC, strict=True):
      record = {"share": share_C[-1], "test": test_C[-1]}
      if its.population.endswith(program.NO_DECAY):
        found["no decay"].append(record)
      elif test_C[-1] > LEARNED:
        found["learned"].append(record | {"early": before(share_C, test_C)})
      elif test_C.max() < HALF:
        found["never"].append(record)
  return found


@CLAIMS.add(
  "spectra.compression",
  "Grokking compresses the weights to a low rank.",
  reported="effective rank 103 to 25-27 of 128, largest over mean 2.3 to 34-37; no "
  "accuracy shown beside them",
  source=f"{REPOSITORY} (docs/sources/primes.md, section 7.4)",
)
def compression(results):
  """Returns the verdict on the fall of the rank in members that generalise, in those that never do
  and in those without weight decay, and how much of it came first."""
  found = members(results)
  if min(len(found["learned"]), len(found["never"])) < SEVERAL:
    raise claims.Missing(
      f"spectra over snapshots of {SEVERAL} members that generalise and of {SEVERAL} that never do",
      analysis="spectra",
    )
  median = lambda kind, name: reported.median([row[name] for row in found[kind]])
  own, null = median("learned", "share"), median("never", "share")
  early, bare = median("learned", "early"), median("no decay", "share")
  said = (
    f"; without weight decay it ends at {100 * bare:.0f} % ({len(found['no decay'])})"
    if found["no decay"]
    else ""
  )
  because = (
    f"the rank of the attention matrices ends at {100 * own:.0f} % of that of "
    f"noise in {len(found['learned'])} members that generalise and at "
    f"{100 * null:.0f} % in {len(found['never'])} that never do{said}; "
    f"{100 * early:.0f} % of the fall comes before half of the test pairs are "
    "right: weight decay takes away what the fit does not need"
  )
  numbers = program.behind(learned=own, never=null, no_decay=bare, early=early)
  status = program.held(own < FELL, artefact=null < (1 + own) / 2)
  return program.verdict(status, because, numbers)
