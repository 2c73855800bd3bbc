"""The figure of the analysis `spectra`: weight matrices beside noise."""

import numpy as np
from primelens.studies import plots_style as style

DRAWN = ("query", "value", "out", "up")  # roles whose spectra are drawn
ATTENTION = ("query", "key", "value", "out")
ROLES = (*ATTENTION, "up", "down", "embedding", "unembed", "head")


@style.styled
def figure(result):
  """Returns spectra, effective ranks beside noise, and both over training."""
  drawn = style.new(11.4)
  top, middle, bottom = style.parts(drawn, (1.0, 1.15, 1.15))
  _spectra(top, result)
  _matrices(middle, result)
  _training(bottom, result)
  return drawn


def _colour(role: str) -> str:
  return style.colour(ROLES.index(role)) if role in ROLES else style.GREY


def _repeats(role: str) -> bool:
  """Returns whether a role's colour is another one's too."""
  return role in ROLES and ROLES.index(role) >= len(style.COLOURS)


def _spectra(part, result) -> None:
  """Draws the singular values of the first layer, at the end and at first."""
  panels = part.subplots(1, len(DRAWN), sharey=True)
  for axes, role in zip(panels, DRAWN, strict=True):
    at = _first(result, role)
    axes.set(title=f"{role}, layer 0", xlabel="number", yscale="log")
    if at is None:
      style.note(axes, "no such matrix")
      continue
    for name, colour, label in (
      ("start_singular_SxExK", style.GREY, "start"),
      ("singular_SxExK", _colour(role), "end"),
    ):
      value_SxK = np.asarray(getattr(result, name))[:, at]
      axes.plot(value_SxK.T, color=colour, lw=0.8)
      axes.plot([], color=colour, label=label)
    axes.legend()
  panels[0].set_ylabel("singular value")


def _first(result, role: str) -> int | None:
  """Returns the row of the first layer's matrix of a role, if there is one."""
  for row, matrix in enumerate(result.matrix):
    if (matrix["role"], matrix["layer"]) == (role, 0):
      return row
  return None


def _matrices(part, result) -> None:
  """Draws effective rank, outliers and distance of every matrix at the end."""
  panels = part.subplots(1, 3, sharey=True)
  names = [row["matrix"] for row in result.matrix]
  views = (
    ("Effective rank over that of noise", lambda r: _over_noise(r)),
    ("Values above the edge of noise", lambda r: r["outliers"]),
    ("Distance from the start", lambda r: r["distance"]),
  )
  for axes, (title, value) in zip(panels, views, strict=True):
    for record in result.record:
      face = _colour(record["role"]) if record["live"] else "none"
      axes.plot(
        value(record),
        names.index(record["matrix"]),
        marker="s" if _repeats(record["role"]) else "o",
        ms=4.5,
        mfc=face,
        mec=_colour(record["role"]),
      )
    axes.set_title(title, fontsize=9)
  panels[0].axvline(1, color=style.GREY, lw=0.8, ls="--")
  panels[1].set_xscale("symlog", linthresh=1)
  panels[0].set_yticks(range(len(names)), names, fontsize=7)
  panels[0].invert_yaxis()
  if not all(record["live"] for record in result.record):
    panels[0].set_xlabel("hollow: without effect on the answer", fontsize=8)


def _over_noise(record) -> float:
  return record["effective_rank"] / record["effective_rank_null"]


def _training(part, result) -> None:
  """Draws the metrics over training beside what the networks are worth."""
  step_C = np.asarray(result.step_C)
  panels = part.subplots(1, 3)
  if not len(step_C):
    for axes in panels:
      style.note(axes, "no snapshots")
    return
  for axes, name, title in zip(
    panels,
    ("effective_rank", "max_to_mean"),
    ("Effective rank over noise", "Largest over mean"),
    strict=False,
  ):
    _curves(axes, result, step_C, name, over_noise=name == "effective_rank")
    axes.set(title=title, xlabel="step")
  panels[0].legend(fontsize=7, ncols=2)
  _worth(panels[2], result, step_C)


def _curves(axes, result, step_C, name: str, *, over_noise: bool) -> None:
  """Draws one metric: the members' median by role, layers averaged, and the
  mean of all attention matrices, as published."""
  number = [row["name"] for row in result.curves].index(name)
  value_SxCxE = np.array(result.curve_VxSxCxE[number], float)
  if over_noise:
    value_SxCxE /= np.asarray(result.null_VxE)[number]
  roles = [row["role"] for row in result.matrix]
  for role in dict.fromkeys(roles):
    here = [e for e, other in enumerate(roles) if other == role]
    median_C = np.median(value_SxCxE[..., here].mean(-1), axis=0)
    dashes = style.DASHES[_repeats(role)]
    axes.plot(step_C, median_C, color=_colour(role), ls=dashes, lw=1.1, label=role)
  here = [e for e, role in enumerate(roles) if role in ATTENTION]
  mean_SxC = value_SxCxE[..., here].mean(-1)
  axes.plot(step_C, mean_SxC.T, color="black", lw=1.6)
  axes.plot([], color="black", lw=1.6, label="attention")


def _worth(axes, result, step_C) -> None:
  """Draws what the networks are worth at the same steps."""
  for name, colour in (("train", style.BLUE), ("test", style.ORANGE)):
    value_SxC = np.asarray(getattr(result, f"{name}_SxC"), float)
    if np.isfinite(value_SxC).any():
      style.curves(axes, step_C, value_SxC, colour=colour, label=name)
  axes.set(title="At the same steps", xlabel="step", ylabel=result.score)
  if "error" in result.score:
    axes.set_yscale("log")
  axes.legend()
