import numpy as np
import tiny_study
from absl.testing import absltest, parameterized
from primelens.studies.zeros import slots, slots_table


class TableTest(parameterized.TestCase):
  @parameterized.parameters(("> 0.02", 1), (">= 0.02", 2), ("< 0.02", 1), ("<= 0.02", 2), ("", -1))
  def test_rules(self, rule, count):
    value_S = np.array([0.01, 0.02, 0.03])
    self.assertEqual(slots_table.met(rule, value_S), count)

  def test_no_value_keeps_no_rule(self):
    self.assertEqual(slots_table.met("> 0", np.full(2, np.nan)), -1)
    with self.assertRaisesRegex(ValueError, "does not begin with >, >="):
      slots_table.met("about 3", np.ones(1))

  def test_noise_is_taken_off_the_scatter(self):
    mean_SxP = np.array([[0.0, 1.0, 2.0], [0.0, 0.1, 0.2]])
    error_SxP = np.full((2, 3), 0.6)  # variances 1 and 0.01, less 0.36
    found_S = slots_table.beyond_noise(mean_SxP, error_SxP)
    np.testing.assert_allclose(found_S, [0.8, 0])

  def test_the_threshold_of_eight_slots_is_scaled(self):
    rule = {r.letter: r.rule for r in slots_table.readings(8, 256)}
    self.assertEqual((rule["E"], rule["I"]), ("> 1.5", "> 25.6"))
    rule = {r.letter: r.rule for r in slots_table.readings(2, 128)}
    self.assertEqual((rule["E"], rule["I"]), ("> 0.5", "> 12.8"))

  def test_names_of_readings_are_unique(self):
    names = [reading.name for reading in slots_table.readings(8, 256)]
    self.assertLen(set(names), len(names))

  def test_obstacle(self):
    get = tiny_study.get_config
    self.assertEqual(slots.obstacle(get("postfix")), "")
    self.assertIn("no memory slots", slots.obstacle(get("none")))


if __name__ == "__main__":
  absltest.main()
