"""Claims on rollouts, calibration and the choice of the best evaluation."""

from primelens.lens import claims as trial
from primelens.lens.claims import Claim, Verdict, verdict
from primelens.studies.zeros import forecasts, golden, published
from primelens.studies.zeros import published_forecasts as reported
from primelens.studies.zeros import verdicts_networks as networks

DRAWN = "cumulative_seed_42_as_published"
FIRST = "cumulative_first_rows_as_published"
ADAPTIVE = "adaptive AR(256)"


def _said(row, key: str, digits: int = 3) -> str:
  ends = (row[key], row[f"{key}_low"], row[f"{key}_high"])
  return "{0:.{d}f} [{1:.{d}f}, {2:.{d}f}]".format(*ends, d=digits)


def linear(results) -> Verdict:
  """Flash's reported error against linear filters rolled on our rows."""
  rows = published.first(results, "rollout").protocols
  find = lambda who: trial.row(rows, protocol=DRAWN, predictor=who)
  constant, three, adaptive = (
    find(who) for who in ("constant 1", "AR(3), published coefficients", ADAPTIVE)
  )
  because = (
    "0.286 is the difference in units of Flash's own error; in units of the"
    f" linear one it is {1 - reported.FLASH / reported.LINEAR:.2f}, and the"
    f" constant stood at {reported.CONSTANT:.3f}. On the same rows of our tail"
    f" the constant has {_said(constant, 'error')}, the published AR(3)"
    f" {_said(three, 'error')}, which is the constant after a few steps, and a"
    f" linear filter refitted before each start {_said(adaptive, 'error')};"
    f" Flash was reported at {reported.FLASH:.3f}, on zeros further up, and the"
    f" error of its single steps, {reported.STEP['Flash']}, was that of the"
    f" constant, {reported.STEP['constant 0']}."
  )
  numbers = {
    "constant": constant["error"],
    "AR(3), published": three["error"],
    ADAPTIVE: adaptive["error"],
    "reported Flash": reported.FLASH,
  }
  if adaptive["error_low"] <= reported.FLASH <= adaptive["error_high"]:
    return Verdict(status="needs more compute", because=because, numbers=numbers)
  return verdict(adaptive["error_low"] > reported.FLASH, because, numbers)


def memory(results) -> Verdict:
  """Networks with a memory bank against those without, rolled alike."""
  found = published.results(results, "rollout")
  rows, numbers = {}, {}
  for name, result in found.items():
    model = next(r for r in result.protocols if r["protocol"] == FIRST)
    rows[name] = model
    numbers[name] = model["error"]
  because = (
    "The source's own numbers at 100 steps are 0.22 without memory, 2.41 with"
    " the bank and 0.26 with Flash, where a constant has 0.354: Flash ends"
    " where the network without memory was, from residuals, whose default of 0"
    " cannot drift. Ours, first rows of the tail, context 128: "
    + "; ".join(
      f"{name} ({_memory(results, name)}) {_said(row, 'error')}" for name, row in rows.items()
    )
    + "."
  )
  kind = lambda name: _memory(results, name)
  big = networks.published_size(results, found)
  bank = [name for name in big if kind(name) == "bank"]
  plain = [name for name in big if kind(name) == "none"]
  if not bank or not plain:
    return networks.undecided(because, numbers)
  best = min(rows[name]["error_high"] for name in plain)
  worse = [rows[name]["error_low"] > best for name in bank]
  return verdict(any(worse) and not all(worse), because, numbers)


def _memory(results, name: str) -> str:
  return results[name]["anchors"].memory


def growth(results) -> Verdict:
  """The published limit on the growth of the error, met by a constant."""
  result = published.first(results, "rollout")
  names = [row["name"] for row in result.table]
  constant = names.index("constant 1")
  level = float(result.step_ExQ[constant].mean())
  slope = result.table[constant]["slope"]
  _, *later = reported.E4_STEPS
  because = (
    f"the constant 1 has an error of {level:.3f} at every step and a slope of"
    f" {slope:+.3f}, so it keeps the limit of {reported.SLOPE_LIMIT}; E4's"
    f" errors at steps 10, 50 and 200 were {later[0]}, {later[1]} and"
    f" {later[2]}, no better than that. What counts is the error of the sum,"
    " and one below the constant's."
  )
  numbers = {"constant, step error": level, "constant, slope": slope}
  holds = reported.E4_SLOPE < reported.SLOPE_LIMIT
  trivial = slope < reported.SLOPE_LIMIT and min(later) > 0.95 * level
  return verdict(holds, because, numbers, artefact=trivial)


def conformal(results) -> Verdict:
  """Conformal coverage of a constant density: promised to whoever predicts."""
  result = published.first(results, "calibration")
  find = lambda who: trial.row(result.conformal, predictor=who, way="halves of test")
  row, own = find("constant Gaussian"), result.conformal[1]
  e4 = reported.CONFORMAL
  because = (
    "widened intervals reach their coverage whoever predicts: the constant"
    f" Gaussian, that knows no past, has {_said(row, 'coverage')} at a width of"
    f" {row['width']:.2f}, {own['predictor']} {_said(own, 'coverage')} at"
    f" {own['width']:.2f}. E4's took a width of {e4['width']:.2f}, more than"
    " the constant's, and missed the source's own limit of 1."
  )
  numbers = {
    "constant, coverage": row["coverage"],
    "constant, width": row["width"],
    "reported width": e4["width"],
  }
  close = abs(row["coverage"] - 0.9) < 0.03  # the published rule
  return verdict(close, because, numbers, artefact=row["width"] < e4["width"])


def short_window(results) -> Verdict:
  """Raw coverage with the published short window and with the whole one."""
  found = networks.of_memory(results, "calibration", "postfix")
  way = "halves of rows, as published"
  numbers: dict[str, float] = {}
  parts, caused = [], {}
  for name, result in found.items():
    short, whole = (
      trial.row(result.conformal, predictor=who, way=way)
      for who in (forecasts.SHORT, "whole window, otherwise as published")
    )
    numbers |= {
      f"{name}: short window": short["raw_coverage"],
      f"{name}: whole window": whole["raw_coverage"],
    }
    caused[name] = short["raw_coverage_high"] < whole["raw_coverage_low"]
    parts.append(
      f"{name}: {_said(short, 'raw_coverage')} when {short['context']} spacings"
      f" are fed, {_said(whole, 'raw_coverage')} when {whole['context']} are"
    )
  because = (
    "Raw coverage of the central 0.8 intervals, "
    + "; ".join(parts)
    + ". The source fed 128 spacings to a network of 256, whose slots then"
    " stand where training never put them."
  )
  big = networks.published_size(results, found)
  if not big:
    return networks.undecided(because, numbers)
  low = all(
    numbers[f"{name}: short window"] < 0.2 for name in big
  )  # 0.084 reported, of a nominal 0.8
  return verdict(low, because, numbers, artefact=all(caused[name] for name in big))


def densities(results) -> Verdict:
  """The PIT of networks without memory, beside a filter's."""
  found = networks.of_memory(results, "calibration", "none")
  _, mean, spread = reported.DENSITIES["E0"]
  rows = {name: result.table[0] for name, result in found.items()}
  filters = next(iter(found.values())).table
  adaptive = trial.row(filters, name=ADAPTIVE)
  numbers = {ADAPTIVE + ", CRPS": adaptive["crps"]}
  numbers |= {f"{name}: PIT mean": row["pit_mean"] for name, row in rows.items()}
  because = (
    "of 199,000 ideal PITs the mean is within 0.001 of 0.5, so that the"
    " source's own 0.467 is none of theirs. Ours: "
    + "; ".join(
      f"{name} mean {_said(row, 'pit_mean')}, standard deviation"
      f" {_said(row, 'pit_std')}, CRPS {_said(row, 'crps', 4)}"
      for name, row in rows.items()
    )
    + f". The adaptive filter has {_said(adaptive, 'pit_mean')},"
    f" {_said(adaptive, 'pit_std')} and a CRPS of {_said(adaptive, 'crps', 4)};"
    " E0 was reported at 0.0835."
  )
  big = networks.published_size(results, found)
  if not big:
    return networks.undecided(because, numbers)
  near = [
    abs(rows[name]["pit_mean"] - 0.5) <= abs(mean - 0.5)
    and abs(rows[name]["pit_std"] - 0.2887) <= abs(spread - 0.2887)
    for name in big
  ]
  return verdict(all(near), because, numbers)


def lowest(results) -> Verdict:
  """What the lowest of 20 evaluations with random slot ids owes to luck."""
  found = {
    name: rows
    for name, result in networks.of_memory(results, "calibration").items()
    if (rows := golden.records(result))
  }
  if not found:
    what = f"calibration of a run with random slot ids on {published.DATA}"
    raise trial.Missing(what, analysis="calibration")
  numbers: dict[str, float] = {}
  parts = []
  for name, rows in found.items():
    luck = [row["lowest_of_20"] for row in rows]
    change = [row["change_nats"] for row in rows]
    numbers |= {f"{name}: luck": min(luck), f"{name}: permuted": max(change)}
    parts.append(
      f"{name}: the lowest of 20 orders is {min(luck):+.4f} to {max(luck):+.4f}"
      f" nats from their mean by seed, permuted minus fixed ids"
      f" {min(change):+.4f} to {max(change):+.4f}"
    )
  because = (
    "; ".join(parts) + ". Weights, positions and windows were chosen on the tail"
    " they are reported on as well; fixed ids later gave 0.188 on all of it,"
    " and 0.172 and 0.203 on 500 windows."
  )
  big = networks.published_size(results, found)
  if not big:
    return networks.undecided(because, numbers)
  lucky = min(numbers[f"{name}: luck"] for name in big) < -0.005
  return verdict(True, because, numbers, artefact=lucky)


_SOURCE = published.REPOSITORY
CLAIMS = (
  Claim(
    id="rollout.linear",
    statement="Rolled out, Flash is 28.6 % better than the linear operator.",
    source=f"{_SOURCE}, results/linear_operator_rollout.json",
    reported="Err@100 0.241, AR(3) 0.310, constant 0.354",
    test=linear,
  ),
  Claim(
    id="rollout.memory",
    statement="Memory hurts rollouts, and Flash repairs it.",
    source=f"{_SOURCE}, roadmap of the operator distillation",
    reported="Err@100 0.22 without memory, 2.41 with it, 0.26 with Flash",
    test=memory,
  ),
  Claim(
    id="rollout.growth",
    statement="E4's rollout error grows slowly: its slope is below 0.5.",
    source=f"{_SOURCE}, results/E4_s7/postfix_diagnostics.jsonl",
    reported="0.260, 0.333, 0.346, 0.398 at steps 1, 10, 50, 200; slope 0.076",
    test=growth,
  ),
  Claim(
    id="calibration.conformal",
    statement="Conformal calibration makes E4's intervals hold 0.9.",
    source=f"{_SOURCE}, results/calibrator_E4.json",
    reported="q 1.001, coverage 0.900 and 0.895, width 2.51",
    test=conformal,
  ),
  Claim(
    id="calibration.raw",
    statement="E4's own intervals are far too narrow.",
    source=f"{_SOURCE}, results/calibrator_E4.json",
    reported="the central 0.8 intervals hold 0.084 of the spacings",
    test=short_window,
  ),
  Claim(
    id="calibration.e0",
    statement="E0's predicted densities are nearly calibrated.",
    source=f"{_SOURCE}, reports/2M/eval_table.md",
    reported="PIT mean 0.467, standard deviation 0.273, CRPS 0.0835",
    test=densities,
  ),
  Claim(
    id="selection.permuted",
    statement="E4 reaches 0.1942 nats, the best of its evaluations.",
    source=f"{_SOURCE}, project map",
    reported="0.1942 at step 10,000, slot ids permuted at random",
    test=lowest,
  ),
)
