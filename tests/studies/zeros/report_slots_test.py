import pathlib
import re
from types import SimpleNamespace

import slots_results
from absl.testing import absltest
from primelens.studies.zeros import report_slots


class SectionTest(absltest.TestCase):
  def _text(self, **options):
    stored = SimpleNamespace(
      result=slots_results.slots(**options), stale=False, figure_path=pathlib.Path("absent.png")
    )
    html = report_slots.slots({"demo": {"slots": stored}})
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", html))

  def test_readings_stand_beside_the_published_ones(self):
    text = self._text(B={"untrained_met": 1})
    self.assertIn(
      "B mean cosine of slots – 0.2500 [0.1250, 0.3750] 0.5000 below &lt; 0.5"
      " 2 of 2 1 of 2 0.1675 0.1675 0.2534",
      text,
    )
    self.assertIn("A&#x27; all slots removed nats", text)

  def test_joint_removal_and_sums(self):
    text = self._text()
    self.assertIn("4 +0.4000 [+0.3500, +0.4500] +0.2000", text)

  def test_one_measurement_and_the_next(self):
    # Uniform draws from 0.1 to 0.3: the middle 95 % of them.
    self.assertIn("0 [0.1050, 0.2950] 0.1608 [+0.0005, +0.0195]", self._text())

  def test_no_percentage_but_that_of_the_intervals(self):
    self.assertEqual(set(re.findall(r"[\d.]+ ?%", self._text())), {"95 %"})

  def test_absent(self):
    self.assertIn("--only=slots", report_slots.slots({"e0": {}}))


if __name__ == "__main__":
  absltest.main()
