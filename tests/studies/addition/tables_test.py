import dataclasses
import math
import types

import adder
import numpy as np
from absl.testing import absltest, parameterized
from primelens.configs import addition as addition_configs
from primelens.lens.numbers import Reported
from primelens.studies.addition import numbers, tables

REPORTED = {
  "share": Reported("A6", "share", "0.73", 0.7266),
  "count": Reported("A11", "neurons", "> 130", 23, math.inf),
  "free": Reported("A1", "not recomputed", "", None),
}


def run_of(config) -> types.SimpleNamespace:
  return types.SimpleNamespace(experiment=config)


class RowsTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.run = run_of(adder.experiment(((1, 1), (598, 999), (2, 2))))

  def test_ours_is_the_reference_member(self):
    value = {
      "share": np.array([0.1, 0.73, 0.4]),
      "count": np.array([1, 150, 3]),
      "free": np.array([np.nan, 2.0, 5.0]),
    }
    null = {"share": np.array([0.2, 0.3, 0.4])}
    share, count, free = tables.rows(self.run, REPORTED, value, null)
    self.assertEqual((share["ours"], share["median"]), (0.73, 0.4))
    self.assertEqual((share["minimum"], share["maximum"]), (0.1, 0.73))
    self.assertTrue(share["agrees"])
    self.assertAlmostEqual(share["untrained"], 0.3)
    self.assertTrue(count["agrees"])  # an infinite tolerance
    self.assertTrue(math.isnan(count["untrained"]))
    # A member without a value is left out of the spread, not of the values.
    self.assertEqual((free["median"], free["minimum"]), (3.5, 2.0))
    self.assertIsNone(free["agrees"])
    self.assertLen(free["values"], 3)

  def test_outside_the_tolerance_does_not_agree(self):
    value = {"share": np.array([0.5, 0.7266 + 0.0051, 0.5])}
    (row,) = tables.rows(self.run, REPORTED, value, {})
    self.assertFalse(row["agrees"])

  def test_a_number_nobody_reported_is_refused(self):
    with self.assertRaisesRegex(KeyError, "other"):
      tables.rows(self.run, REPORTED, {"other": np.zeros(3)}, {})

  @parameterized.parameters(
    ("published", "P = 10, published", 0),
    ("permuted", "P = 10, permuted labels", None),
    ("unordered", "P = 10, unordered pairs split", None),
    ("no_decay", "P = 10, no weight decay", None),
    ("drift", "P = 10, shaken by rounding", None),
    ("jax", "P = 10, published", None),
  )
  def test_populations_and_their_reference(self, variant, its, reference):
    run = run_of(addition_configs.get_config(f"p10_{variant}"))
    self.assertEqual(tables.population(run), its)
    self.assertEqual(tables.reference(run), reference)

  def test_modular_population(self):
    run = run_of(addition_configs.get_config("p113"))
    self.assertEqual(tables.population(run), "modulo 113, published")
    self.assertEqual(tables.reference(run), 0)

  def test_nothing_but_the_published_setting_is_published(self):
    base = addition_configs.get_config("p113")
    task = lambda **to: dataclasses.replace(base, task=dataclasses.replace(base.task, **to))
    fit = lambda **to: dataclasses.replace(base, fit=dataclasses.replace(base.fit, **to))
    faster = dataclasses.replace(base.fit.optimizer, rate=3e-3)
    wide = dataclasses.replace(base.model.trunk, width=64)
    biased = dataclasses.replace(base.model.trunk, bias=True)
    model = lambda trunk: dataclasses.replace(
      base, model=dataclasses.replace(base.model, trunk=trunk)
    )
    for config, its in (
      (task(digits=59), "modulo 59, other digits"),
      (task(train_fraction=0.5), "modulo 113, other train fraction"),
      (fit(steps=100), "modulo 113, other steps"),
      (fit(optimizer=faster), "modulo 113, other optimizer"),
      (model(wide), "modulo 113, other network"),
      (model(biased), "modulo 113, other network"),
      (addition_configs.get_config("p53"), "modulo 53, other digits, train fraction and steps"),
    ):
      run = run_of(config)
      self.assertEqual(tables.population(run), its)
      self.assertIsNone(tables.reference(run))
      self.assertTrue(tables.is_setting(its))
    both = task(digits=59, labels="permuted")
    self.assertEqual(tables.population(run_of(both)), "modulo 59, permuted labels, other digits")
    self.assertFalse(tables.is_setting("modulo 59, permuted labels, other digits"))


class NumbersTest(parameterized.TestCase):
  @parameterized.parameters(
    (0.73, 0.7266, 0.005, math.nan, math.nan, "agrees"),
    (0.70, 0.7266, 0.005, math.nan, math.nan, "differs"),
    (0.70, 0.7266, 0.005, 0.69, 0.725, "within drift"),
    (0.70, 0.7266, 0.005, 0.69, 0.71, "differs"),
    (131.0, 23.0, math.inf, math.nan, math.nan, "not portable"),
    (23.0, 23.0, math.inf, math.nan, math.nan, "agrees"),
    (math.nan, 0.7, 0.005, 0.0, 1.0, ""),
    (0.7, math.nan, 0.005, 0.0, 1.0, ""),
  )
  def test_verdict(self, ours, recomputed, tolerance, low, high, expected):
    record = dict(ours=ours, recomputed=recomputed, drift_low=low, drift_high=high)
    self.assertEqual(numbers.verdict(record, tolerance), expected)

  def test_runs_are_joined_by_number(self):
    reported = {"share": REPORTED["share"]}
    results = {}
    for variant, value in (
      ("published", 0.70),
      ("drift", 0.72),
      ("permuted", 0.5),
      ("no_decay", 0.6),
    ):
      config = addition_configs.get_config(f"p10_{variant}")
      value_S = np.full(config.fit.seeds, value)
      rows = tables.rows(run_of(config), reported, {"share": value_S}, {})
      result = types.SimpleNamespace(table=rows)
      results[variant] = {"embedding": result, "other": object()}
    (row,) = numbers.joined(results)
    self.assertEqual(row["ours"], 0.70)
    self.assertEqual((row["drift_low"], row["drift_high"]), (0.72, 0.72))
    self.assertEqual((row["permuted"], row["no_decay"]), (0.5, 0.6))
    self.assertTrue(math.isnan(row["unordered"]))
    self.assertEqual(row["verdict"], "differs")  # .72 + .005 < .7266

  def test_two_primes_do_not_mix(self):
    config = addition_configs.get_config("p10_published")
    other = dataclasses.replace(config, task=dataclasses.replace(config.task, digits=12))
    results = {
      name: {
        "embedding": types.SimpleNamespace(
          table=tables.rows(run_of(c), {"share": REPORTED["share"]}, {"share": np.ones(12)}, {})
        )
      }
      for name, c in (("ten", config), ("twelve", other))
    }
    self.assertLen(numbers.joined(results), 2)


if __name__ == "__main__":
  absltest.main()
