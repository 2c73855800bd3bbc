import dataclasses
import math
from typing import Annotated, Any, Literal

from absl.testing import absltest, parameterized
from primelens.tasks import checks


@dataclasses.dataclass
class Part:
  """A part of a config."""


@dataclasses.dataclass
class Config:
  """One field of every kind."""

  share: checks.Share = 0.5
  inside: checks.Inside = 0.5
  beta: Annotated[float, checks.Range(0, 1, "[)")] = 0.9
  scale: Annotated[float, checks.Range(0, 10, "(]")] = 1.0
  count: checks.Count = 1
  name: str = ""
  flag: bool = False
  choice: Literal["a", "b"] = "a"
  counts: Annotated[tuple[checks.Count, ...], checks.Items(1, 3)] = (1,)
  many: tuple[float, ...] = ()
  pairs: tuple[tuple[int, float], ...] = ()
  part: Part = dataclasses.field(default_factory=Part)
  anything: Any = None

  def __post_init__(self):
    checks.fields(self)


class FieldsTest(parameterized.TestCase):
  @parameterized.parameters(
    {"share": 0},
    {"share": 1},
    {"share": 1.0},
    {"beta": 0.0},
    {"scale": 10},
    {"count": 100_000_000},
    {"flag": True},
    {"choice": "b"},
    {"counts": (1, 2, 3)},
    {"many": (1, 2.5)},
    {"pairs": ((1, 2), (3, 0.5))},
    {"anything": object()},
  )
  def test_what_is_right_is_taken(self, **change):
    Config(**change)

  @parameterized.parameters(
    ({"share": 1.5}, "share=1.5 must be at least 0 and at most 1."),
    ({"share": math.nan}, "share=nan must be at least 0 and at most 1."),
    ({"share": -math.inf}, "share=-inf must be at least 0 and at most 1."),
    ({"share": True}, "share=True is not of type float."),
    ({"share": "1"}, "share='1' is not of type float."),
    ({"share": None}, "share=None is not of type float."),
    ({"inside": 0.0}, "inside=0.0 must be above 0 and below 1."),
    ({"inside": 1}, "inside=1 must be above 0 and below 1."),
    ({"beta": 1.0}, "beta=1.0 must be at least 0 and below 1."),
    ({"scale": 0.0}, "scale=0.0 must be above 0 and at most 10."),
    ({"count": 0}, "count=0 must be at least 1 and at most 100,000,000."),
    ({"count": 10**40}, f"count={10**40} must be at least 1 and at most 100,000,000."),
    ({"count": 2.0}, "count=2.0 is not of type int."),
    ({"count": True}, "count=True is not of type int."),
    ({"name": 3}, "name=3 is not of type str."),
    ({"flag": 1}, "flag=1 is not of type bool."),
    ({"choice": "c"}, "choice='c' is not one of a, b."),
    ({"choice": ["a"]}, "choice=['a'] is not one of a, b."),
    ({"counts": ()}, "counts=() has 0 items; it must have at least 1 and at most 3."),
    ({"counts": [1]}, "counts=[1] is not of type tuple."),
    ({"counts": (1, 0)}, "counts=(1, 0) has 0, which must be at least 1 and at most 100,000,000."),
    ({"many": (1.0, "x")}, "many=(1.0, 'x') has 'x', which is not of type float."),
    ({"pairs": ((1,),)}, "pairs=((1,),) has (1,), which has 1 items; it must have 2."),
    ({"pairs": ((1.5, 2),)}, "pairs=((1.5, 2),) has (1.5, 2), which has 1.5, which is not of "),
    ({"part": {}}, "part={} is not of type Part."),
    ({"part": Part}, "is not of type Part."),
  )
  def test_what_is_wrong_is_said(self, change, said):
    with self.assertRaises(checks.FieldError) as caught:
      Config(**change)
    self.assertIn(said, str(caught.exception))

  def test_tuples_have_an_end(self):
    with self.assertRaisesRegex(checks.FieldError, "has 10,001 items; .* at most 10,000"):
      Config(many=(0.0,) * 10_001)

  def test_at_least(self):
    checks.at_least(Config(), 1, "count")
    with self.assertRaisesRegex(checks.FieldError, "count=1 must be at least 2."):
      checks.at_least(Config(), 2, "count")


class BriefTest(absltest.TestCase):
  def test_any_value_has_a_short_text(self):
    nested: list = []
    for _ in range(100_000):
      nested = [nested]
    for value in (nested, 10**6000, "x" * 10**6, (0.0,) * 10**5):
      self.assertLessEqual(len(checks.brief(value)), 100)
    self.assertEqual(checks.brief(0.5), "0.5")
    self.assertIn("ValueError", checks.brief(10**6000))


if __name__ == "__main__":
  absltest.main()
