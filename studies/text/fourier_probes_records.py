"""Records of the Fourier probes, and the reported numbers beside ours."""

from collections.abc import Iterator, Mapping

import numpy as np
from primelens.lens import numbers as reported_lib
from primelens.studies.text import answers_reported, reported
from primelens.studies.text import fourier_probes_parts as parts
from primelens.studies.text import fourier_probes_published as published

MANY = 12  # frequencies that are written out


def found(levels, scored: Mapping) -> Iterator[dict]:
  """Yields a record per level and member: its frequencies and the best one.

  `untrained_best_r2` is the median over fresh networks of their best.
  """
  untrained_E = np.median(scored["untrained_r2_VxExQ"].max(-1), 0)
  for e, level in enumerate(levels):
    for s in range(len(scored["r2_SxExQ"])):
      of = lambda name, s=s, e=e: scored[f"{name}_SxExQ"][s, e]
      at = of("r2").argmax()
      there_Q = scored["frequency_Q"][of("p") <= parts.LEVEL]
      words = ", ".join(map(str, there_Q[:MANY]))
      yield {
        "level": level,
        "member": s,
        "frequencies": len(of("r2")),
        "significant": len(there_Q),
        "which": words + (", ..." if len(there_Q) > MANY else ""),
        "best": int(scored["frequency_Q"][at]),
        "best_r2": float(of("r2")[at]),
        "best_z": float(of("z")[at]),
        "best_p": float(of("p")[at]),
        "mean_r2": float(of("r2").mean()),
        "alpha": float(of("alpha")[at]),
        "untrained_best_r2": float(untrained_E[e]),
      }


def digits(levels, scored: Mapping) -> Iterator[dict]:
  """Yields a record per level and modulus, over members."""
  for e, level in enumerate(levels):
    for m, modulus in enumerate(scored["modulus_M"]):
      of = lambda name, e=e, m=m: scored[f"{name}_SxExM"][:, e, m]
      at = of("digit_best_r2").argmax()
      yield {
        "level": level,
        "modulus": int(modulus),
        "frequencies": int(modulus) // 2,
        **reported_lib.spread(of("digit_r2")),
        "p": float(np.median(of("digit_p"))),
        "untrained": float(np.median(scored["untrained_digit_r2_VxExM"][:, e, m])),
        "best": int(of("digit_best")[at]),
        "best_r2": float(of("digit_best_r2")[at]),
        "best_p": float(of("digit_best_p")[at]),
        "values": of("digit_r2").tolist(),
      }


def table(run, known: Mapping, old: Mapping, scored: Mapping):
  """Returns the reported numbers beside ours, of published prompts alone."""
  if not (answers_reported.as_published(run) and run.regression):
    return ()
  rows = min(len(run.prompts.select_N), published.ROWS)
  random_SxP = old["delta_random_as_published_SxP"]
  columns = {
    "r2": old["r2_as_published_SxP"],
    "delta_probe": old["delta_as_published_SxP"],
    "delta_random": random_SxP,
    "excess": old["delta_as_published_SxP"] - random_SxP,
    "null_r2": old["null_r2_SxRxP"].mean(1),
    "null_r2_deviation": old["null_r2_SxRxP"].std(1),
    "cv_r2": old["cv_r2_SxP"],
    "delta_permuted": old["delta_permuted_as_published_SxRxP"].mean(1),
  }
  value_S = {
    f"{name}_{p + 1}": value_SxP[:, p]
    for name, value_SxP in columns.items()
    for p in range(value_SxP.shape[1])
  }
  for m, modulus in enumerate(published.SMALL):
    for p in range(published.SMALL_PAIRS):
      small_S = old["small_r2_as_published_Sx6x3"][:, m, p]
      value_S[f"small_{modulus}_{p + 1}"] = small_S
  value_S |= {
    "base_error": old["base_error_S"],
    "base_r2": old["base_r2_S"],
    "cv_r2_best": old["cv_r2_SxQ"].max(1),
    "degrees": old["degrees_S"],
    "degrees_per_row": old["degrees_S"] / rows,
    "held_out_r2_best": scored["r2_SxExQ"][:, -1].max(-1),
  }
  untrained_S = {"held_out_r2_best": scored["untrained_r2_VxExQ"][:, -1].max(-1)}
  value_S = {key: x_S for key, x_S in value_S.items() if key in known}
  return reported.rows(run, known, value_S, untrained_S)
