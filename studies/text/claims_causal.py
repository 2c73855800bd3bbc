"""Claims that interventions decide: directions, states, symmetries."""

import numpy as np
from primelens.lens.claims import Verdict, row, verdict
from primelens.studies.text.claims_parts import named, of

STILL = 0.9  # R2 of a sum that is still there
NEAR = (-2, -1, 1, 2)  # shifts of the published plot beside 0


def _member(found, key: str) -> float:
  """Returns the median over members of a reported number."""
  return float(np.median(row(found.table, key=key)["values"]))


def refit(results) -> Verdict:
  """The published removal, after which a new readout is fitted."""
  found = of(results, "causal", "sum")
  names = ("before", "after", "r2_after")
  before, after, r2 = (_member(found, f"sum_few_{name}") for name in names)
  because = (
    f"the squared error of a readout fitted anew rises from {before:,.0f} to "
    f"{after:,.0f} in the median of our networks, but that readout still has "
    f"R2 {r2:.3f} of the sum: the network's own answer is not in this test."
  )
  numbers = {"before": before, "after": after, "r2_after": r2}
  return verdict(after > before, because, numbers, artefact=r2 > STILL)


def own(results) -> Verdict:
  """The sum's direction at its mean or exchanged, through the own readout."""
  rows = of(results, "causal", "sum").interventions
  at = lambda level, subspace: row(rows, target="sum", level=level, subspace=subspace)
  line, null = at("final", "leace"), at("final", "leace, permuted")
  random, early = at("final", "random"), at("block 1", "leace")
  ridge = at("final", "ridge")
  because = (
    f"without the eraser's direction skill is {line['skill']:.3f} "
    f"[{line['skill_low']:.3f}, {line['skill_high']:.3f}], without the ridge "
    f"probe's {ridge['skill']:.2f}, without random ones as far away "
    f"{random['skill']:.3f}, without permuted labels' {null['skill']:.2f} (p "
    f"{line['p']:.3f}). Another prompt's component moves the answer "
    f"{100 * line['moved']:.1f} % of the way to its sum (p "
    f"{line['p_moved']:.3f}), after block 1 {100 * early['moved']:.0f} %: next "
    "to a linear readout this is close to a definition."
  )
  holds = (
    line["skill_high"] < 0.1
    and random["skill"] > STILL
    and line["moved_low"] > STILL
    and line["p_moved"] <= 0.05
  )
  keys = ("skill", "moved", "p", "p_moved")
  return verdict(holds, because, {key: line[key] for key in keys})


def vacuous(results) -> Verdict:
  """The sum's direction removed where nothing was learned."""
  found, answers = of(results, "causal", "modk"), of(results, "answers", "modk")
  fresh = row(answers.skills, part="fresh")
  delta, r2 = (_member(found, f"modk_few_{n}") for n in ("delta", "r2_before"))
  because = (
    f"the error of a readout fitted anew changes by {delta:+.3f}, but the "
    f"network's own skill is {fresh['skill']:.3f} [{fresh['skill_low']:.3f}, "
    f"{fresh['skill_high']:.3f}] and the readout's R2 {r2:.3f} in sample: "
    "there is no answer to rely on anything."
  )
  numbers = {"delta": delta, "skill": fresh["skill"], "r2_before": r2}
  empty = fresh["skill_low"] <= 0
  return verdict(abs(delta) < 5, because, numbers, artefact=empty)


def exchanged(results) -> Verdict:
  """States of a prompt with the same sum, or another, put in place."""
  rows = of(results, "patching", "sum").effects
  late = row(rows, level="block 2", role="?")
  early = row(rows, level="embeddings", role="x-hundreds")
  because = (
    "after the last block at '?' a donor of the same sum changes the answer by "
    f"{late['disturbed_equal']:.2f} of what donors of another sum do, and "
    f"those move it {100 * late['moved']:.0f} % of the way; in the embeddings "
    "of x's hundreds a donor of the same sum changes it by "
    f"{early['disturbed_equal']:.2f}."
  )
  holds = late["disturbed_equal"] < 0.25 and late["moved"] > STILL
  return verdict(
    holds and early["disturbed_equal"] > 0.5,
    because,
    {"late": late["disturbed_equal"], "early": early["disturbed_equal"]},
  )


def shifts(results) -> Verdict:
  """The published shifts, on all rows and on those whose operands are in
  range."""
  found = of(results, "invariance", "sum")
  delta_R = np.asarray(found.delta_R)
  rise = lambda loss_SxR: float(
    np.median(loss_SxR[:, np.isin(delta_R, NEAR)].mean(1) / loss_SxR[:, delta_R == 0][:, 0])
  )
  every = rise(np.asarray(found.loss_as_published_SxR))
  inside = rise(np.asarray(found.in_range_SxR))
  outside = int(np.asarray(found.outside_R)[np.isin(delta_R, NEAR)].max())
  ratio = {
    int(record["symmetry"].rpartition(" ")[2]): record["ratio"]
    for record in found.symmetries
    if record["symmetry"].startswith("(x + d")
  }
  said = ", ".join(f"{value:.2f} at {d}" for d, value in ratio.items())
  because = (
    f"at shifts of 1 and 2 the error is {every:.1f} times that at 0 over all "
    f"rows, {inside:.2f} times over rows in range: at most {outside} of 2,000 "
    "rows, with operands such as -3 and 1002, make the V. The change of the "
    f"answer under (x + d, y - d) over that under (x + d, y) is {said}."
  )
  numbers = {"all_rows": every, "in_range": inside} | {
    f"ratio_{d}": value for d, value in ratio.items()
  }
  return verdict(every > 1.5, because, numbers, artefact=inside < 1.5)


CLAIMS = (
  named(
    "causal.refit",
    "0.7, 5.2, 6.3",
    "Removing the sum's direction raises the error, so it is causal.",
    "squared error 340.8 to 1649.2, a readout fitted anew each time",
    refit,
  ),
  named(
    "causal.own",
    "0.7, 5.2, 6.3",
    "The network's answer runs through the sum's direction.",
    "concluded from the refitted readout; not tested through the network's own",
    own,
  ),
  named(
    "causal.modk",
    "5.2, 6.4",
    "The network of sums modulo 97 does not rely on the sum's direction.",
    "squared error 718.499 to 718.477",
    vacuous,
  ),
  named(
    "patching.sums",
    "0.9, 6",
    "States of prompts with the same sum can be exchanged.",
    "planned in the source's notes, never built",
    exchanged,
  ),
  named(
    "invariance.shift",
    "0.8, 5.7, 6.9",
    "The answer is not invariant under (x + d, y - d): the error is a V in d.",
    "a plot of squared errors of 872 at 0, about 7,000 at 1",
    shifts,
  ),
)
