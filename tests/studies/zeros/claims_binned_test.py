"""Claims, report and figures of binned networks, of results by hand."""

import pathlib
import re
import tempfile
from types import SimpleNamespace

import binned_results
import drawn
import matplotlib
from absl.testing import absltest, parameterized
from primelens.lens import claims as trial
from primelens.lens import figures, legacy
from primelens.studies.zeros import claims_binned, published, report_binned
from zeros_results import anchors

ARTEFACT = "reproduced, but an artefact"
NOT = "not reproduced"
OPEN, NOT_RUN = "needs more compute", "not run"
LARGE = 853_120
LEAKY = "bank_leaky_as_published"
BIAS = "constant bias, same marginal"
PLACEBO = "placebo, same norm"


def table(variant, parameters=55_000, seeds=5, data=published.DATA, **options):
  memory = f"binned {variant}"
  found = {"anchors": anchors(memory, parameters, seeds=seeds, data=data)}
  effect = {k: options[k] for k in ("change", "spread") if k in options}
  tokens = {k: options[k] for k in ("model", "leak") if k in options}
  found["perplexity"] = binned_results.perplexity(variant, **tokens)
  if variant in ("gpt", "rmt"):
    found["memory_effect"] = binned_results.memory_effect(variant, **effect)
  return found


def verdict(claim_id, **runs):
  rows = trial.ledger(claims_binned.CLAIMS, runs).rows
  (row,) = (row for row in rows if row["id"] == claim_id)
  return row


class ClaimsTest(parameterized.TestCase):
  @parameterized.parameters(
    # The published measure scatters by its own difference: size is no matter.
    ("memory.elephant", "gpt", NOT, {}),
    ("memory.elephant", "gpt", NOT, {"parameters": LARGE}),
    ("memory.elephant", "gpt", OPEN, {"spread": 0.05}),
    ("memory.elephant", "gpt", OPEN, {"change": {"elephant": 0.2}}),
    ("memory.elephant", "gpt", "reproduced", {"parameters": LARGE, "change": {"elephant": 0.2}}),
    (
      "memory.elephant",
      "gpt",
      ARTEFACT,
      {"parameters": LARGE, "change": {"elephant": 0.2, BIAS: 0.19}},
    ),
    ("memory.elephant", "rmt", NOT_RUN, {}),
    ("memory.elephant", "gpt", NOT_RUN, {"data": "others"}),
    ("memory.recurrent", "rmt", OPEN, {}),
    ("memory.recurrent", "rmt", NOT, {"parameters": LARGE}),
    ("memory.recurrent", "rmt", OPEN, {"parameters": LARGE, "seeds": 2}),
    ("memory.recurrent", "rmt", "reproduced", {"parameters": LARGE, "change": {"elephant": 0.2}}),
    (
      "memory.recurrent",
      "rmt",
      ARTEFACT,
      {"parameters": LARGE, "change": {"elephant": 0.2, PLACEBO: 0.2}},
    ),
    ("losses.bank", LEAKY, ARTEFACT, {"leak": 0.1}),
    ("losses.bank", LEAKY, OPEN, {"leak": 1e-7}),
    ("losses.bank", "bank", NOT_RUN, {"leak": 0.1}),
    ("losses.binned", "gpt", OPEN, {"model": 84.1}),
    ("losses.binned", "gpt", "reproduced", {"model": 70.0}),
    ("losses.binned", "gpt", OPEN, {"model": 70.0, "seeds": 1}),
    ("losses.binned", "gpt", NOT, {"model": 106.0, "parameters": LARGE}),
  )
  def test_status(self, claim_id, variant, status, options):
    row = verdict(claim_id, demo=table(variant, **options))
    self.assertEqual(row["status"], status, row["because"])

  def test_every_claim_needs_a_run(self):
    rows = trial.ledger(claims_binned.CLAIMS, {}).rows
    self.assertEqual({row["status"] for row in rows}, {NOT_RUN})

  def test_the_published_difference_in_its_own_spreads(self):
    row = verdict("memory.elephant", demo=table("gpt"))
    # (0.8415 - 0.5163) / (sqrt 2 x 0.26), spec, section 4.9: about 0.9.
    self.assertAlmostEqual(row["numbers"]["in its spreads"], 0.884, places=3)

  def test_the_causal_bank_stands_beside_the_leaky_one(self):
    runs = {"leaky": table(LEAKY, leak=0.2), "blind": table("bank")}
    row = verdict("losses.bank", **runs)
    self.assertIn("after 63 spacings", row["because"])
    self.assertIn("0.2000 nats [0.1800, 0.2200]", row["because"])
    self.assertIn("blind, whose mean is causal: 0.0000", row["because"])


def stored(result):
  return SimpleNamespace(result=result, stale=False, figure_path=pathlib.Path("absent.png"))


def words(html):
  return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", html))


class ReportTest(absltest.TestCase):
  def test_perplexities_in_nats(self):
    tables = {"demo": {"perplexity": stored(binned_results.perplexity())}}
    text = words(report_binned.perplexity(tables))
    # ln(83.3 / 64), ln(106.7 / 64), and our own.
    self.assertIn("(README) 83.30 +0.264", text)
    self.assertIn("(paper draft) 106.70 +0.511", text)
    self.assertIn("AR(24) 72.5 0.1247", text)

  def test_arms(self):
    result = binned_results.memory_effect(change={"elephant": 0.1})
    tables = {"demo": {"memory_effect": stored(result)}}
    text = words(report_binned.memory_effect(tables))
    self.assertIn("elephant 1.00 1.000 1.100 [1.080, 1.120] +0.100", text)
    self.assertIn("-40 … +70", text)
    self.assertIn("390 blocks", text)

  def test_absent(self):
    self.assertIn("--only=perplexity", report_binned.perplexity({"e0": {}}))
    absent = report_binned.memory_effect({"e0": {}})
    self.assertIn("--only=memory_effect", absent)


class PlotsTest(parameterized.TestCase):
  @parameterized.parameters(
    ("perplexity", {}),
    ("perplexity", {"variant": LEAKY, "leak": 0.3, "seeds": 1}),
    ("memory_effect", {}),
    ("memory_effect", {"change": {"elephant": 0.5}, "spread": 0.5}),
  )
  def test_drawn_without_warnings_inside_the_figure(self, name, options):
    folder = self.enterContext(tempfile.TemporaryDirectory())
    figure = legacy.drawing("zeros", name)(getattr(binned_results, name)(**options))
    header = figures.save(figure, pathlib.Path(folder, "x.png")).read_bytes()
    self.assertEqual(header[:8], b"\x89PNG\r\n\x1a\n")
    drawn.assert_inside(self, figure)
    for axes in figure.findobj(matplotlib.axes.Axes):
      self.assertNotEmpty(axes.get_xlabel())
      if "NLL" in axes.get_ylabel() + axes.get_xlabel():
        self.assertIn("nats", axes.get_ylabel() + axes.get_xlabel())


if __name__ == "__main__":
  absltest.main()
