import contextlib
import gzip
import io
import pathlib
import pickle
import struct
import tempfile
import zlib
from fractions import Fraction

import numpy as np
from absl.testing import absltest, parameterized
from primelens.tasks import zeros_sources


def _record(delta: int) -> bytes:
  low = delta & (2**64 - 1)
  middle = (delta >> 64) & (2**32 - 1)
  return struct.pack("<QIB", low, middle, delta >> 96)


def _platt(*blocks) -> bytes:
  """Encodes blocks (t0, t1, N(t0), deltas in units of 2^-101)."""
  content = struct.pack("<Q", len(blocks))
  for low, high, start, deltas in blocks:
    content += struct.pack("<ddQQ", low, high, start, start + len(deltas))
    content += b"".join(map(_record, deltas))
  return content


def _deltas(rng: np.random.Generator, count: int) -> list[int]:
  """Distances of about one with all 101 fractional bits in use."""
  fraction = (int.from_bytes(rng.bytes(13), "little") >> 3 for _ in range(count))
  return [(1 << 100) + part for part in fraction]


class _Call:
  def __reduce__(self):
    return print, ("the pickle was executed",)


class ListedTest(parameterized.TestCase):
  @parameterized.parameters(2, 999, 1000, 1001, 2052)
  def test_list_of_floats(self, count):
    wanted = np.random.default_rng(0).normal(size=count)
    content = zlib.compress(pickle.dumps(wanted.tolist(), 2))
    np.testing.assert_array_equal(zeros_sources.listed(content), wanted)

  @parameterized.parameters(
    (_Call(),),
    (np.float64(1.0),),
    (Fraction(1, 2),),
    ([1, 2],),
    ({"a": 1.0},),
    ([1.0, "x"],),
    (1.0,),
  )
  def test_nothing_else_is_read_and_nothing_runs(self, payload):
    ran = io.StringIO()
    with contextlib.redirect_stdout(ran):
      for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        with self.assertRaisesRegex(ValueError, "Not one list of floats"):
          zeros_sources.listed(zlib.compress(pickle.dumps(payload, protocol)))
    self.assertEqual(ran.getvalue(), "")

  def test_instructions_among_the_floats_are_refused(self):
    whole = pickle.dumps([14.5, 21.25], 2)
    call = b"cos\nsystem\n"
    for damaged in (
      whole[:-1],
      whole + b".",
      whole[:5] + call + whole[5:],
      whole[:-1] + call + b".",
    ):
      with self.assertRaisesRegex(ValueError, "Not one list of floats"):
        zeros_sources.listed(zlib.compress(damaged))

  def test_truncation_is_refused(self):
    content = zlib.compress(pickle.dumps([14.5, 21.25], 2))
    with self.assertRaisesRegex(ValueError, "Not compressed by zlib"):
      zeros_sources.listed(content[:-3])

  def test_another_file_is_not_the_table(self):
    folder = self.enterContext(tempfile.TemporaryDirectory())
    file = pathlib.Path(folder, "zeros.sobj")
    file.write_text("14.13\n")
    with self.assertRaisesRegex(ValueError, "sha256 .* expected 1cebd3bf"):
      zeros_sources.odlyzko([file])


class TextTest(parameterized.TestCase):
  def _file(self, content: str) -> pathlib.Path:
    file = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory())) / "zeros.txt"
    file.write_bytes(content.encode())
    return file

  @parameterized.parameters("14.5\n21.25\n", "14.50\n21.25", "14.5\r\n21.25\r\n")
  def test_one_ordinate_per_line(self, content):
    ordinate_N, place = zeros_sources.text([self._file(content)])
    np.testing.assert_array_equal(ordinate_N, [14.5, 21.25])
    self.assertRegex(place(1), r"zeros.txt, line 2 \(zero 2\)")

  def test_gzip_is_read(self):
    file = self._file("")
    file.write_bytes(gzip.compress(b"14.5\n\n21.25\n"))
    ordinate_N, place = zeros_sources.text([file])
    np.testing.assert_array_equal(ordinate_N, [14.5, 21.25])
    self.assertRegex(place(1), r"line 3 \(zero 2\)")

  def test_bad_gzip_is_refused(self):
    packed = gzip.compress(b"14.5\n21.25\n")
    for content, message in (
      (packed[:-9], "zeros.txt is no whole gzip file"),
      (packed[:2] + b"x" * 50, "zeros.txt is no whole gzip file"),
      (gzip.compress(b"14.5\nx\n"), "line 2 is not one ordinate"),
      (gzip.compress(b""), "holds no ordinates"),
    ):
      file = self._file("")
      file.write_bytes(content)
      with self.assertRaisesRegex(ValueError, message):
        zeros_sources.text([file])

  def test_place_counts_blank_lines(self):
    _, place = zeros_sources.text([self._file("14.5\n\n21.25\n")])
    self.assertRegex(place(1), r"line 3 \(zero 2\)")

  @parameterized.parameters(
    ("14.5\n21,25\n25.0\n", "line 2 is not one ordinate"),
    ("1 14.5\n2 21.25\n", "line 1 is not one ordinate"),
    ("14.5\n21.25\nsecret\n", "line 3 is not one ordinate"),
    ("14.134725\n21.022040\nsecret", "cut short: its last line"),
    ("", "holds no ordinates"),
    ("\n\n", "holds no ordinates"),
  )
  def test_bad_text_is_refused(self, content, message):
    with self.assertRaisesRegex(ValueError, message) as caught:
      zeros_sources.text([self._file(content)])
    self.assertNotRegex(
      str(caught.exception), "secret|21,25|1 14.5"
    )  # what stands there is not quoted


class PlattTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
    rng = np.random.default_rng(0)
    self.deltas = [_deltas(rng, count) for count in (700, 300, 400)]
    self.blocks = [
      (14.0, 1200.0, 0, self.deltas[0]),
      (1200.0, 1800.0, 700, self.deltas[1]),
      (1800.0, 2600.0, 1000, self.deltas[2]),
    ]

  def _write(self, name: str, content: bytes) -> pathlib.Path:
    (self.folder / name).write_bytes(content)
    return self.folder / name

  def _folder(self):
    # In lexical order the second file would come first.
    self._write("zeros_9.dat", _platt(*self.blocks[:2]))
    self._write("zeros_10.dat", _platt(self.blocks[2]))
    return zeros_sources.platt_files(str(self.folder))

  def test_ordinates_are_those_encoded(self):
    ordinate_N, _ = zeros_sources.platt(self._folder())
    expected = []
    for low, _, _, deltas in self.blocks:
      for total in np.cumsum(np.array(deltas, dtype=object)):
        expected.append(float(Fraction(low) + Fraction(int(total), 2**101)))
    np.testing.assert_allclose(ordinate_N, expected, rtol=2.3e-16, atol=0)

  def test_all_104_bits_are_read(self):
    deltas = [2**104 - 1, 1 << 64, 2**64 - 1, 1 << 96]
    file = self._write("zeros_1.dat", _platt((14.0, 40.0, 0, deltas)))
    ordinate_N, _ = zeros_sources.platt([file])
    totals = np.cumsum(np.array(deltas, dtype=object))
    expected = [float(14 + Fraction(int(total), 2**101)) for total in totals]
    np.testing.assert_allclose(ordinate_N, expected, rtol=2.3e-16, atol=0)

  def test_files_are_ordered_by_number(self):
    names = [file.name for file in self._folder()]
    self.assertEqual(names, ["zeros_9.dat", "zeros_10.dat"])

  def test_place_names_file_block_and_zero(self):
    _, place = zeros_sources.platt(self._folder())
    self.assertEndsWith(place(699), "zeros_9.dat, block 1 of 2, zero 700")
    self.assertEndsWith(place(700), "zeros_9.dat, block 2 of 2, zero 701")
    self.assertEndsWith(place(1000), "zeros_10.dat, block 1 of 1, zero 1001")

  @parameterized.parameters(
    (lambda content: content[:-1], "block 3 of 3 is truncated"),
    (lambda content: content[:9], "is truncated, or none of Platt's"),
    (lambda content: content[:5], "is truncated: 5 bytes"),
    (lambda content: content + b"x", "1 bytes after its end"),
    (lambda content: content[:8] + b"\xff" * 32 + content[40:], "block 1 of 3 has a header that"),
    (lambda content: struct.pack("<Q", 0), "holds no zeros"),
    (lambda content: b"\xff" * len(content), "is truncated, or none of Platt's"),
  )
  def test_damaged_file_is_refused(self, damage, message):
    file = self._write("zeros_1.dat", damage(_platt(*self.blocks)))
    with self.assertRaisesRegex(ValueError, message):
      zeros_sources.platt([file])

  def test_missing_block_is_refused(self):
    content = _platt(self.blocks[0], self.blocks[2])
    file = self._write("zeros_1.dat", content)
    with self.assertRaisesRegex(ValueError, "block 2 of 2 does not start where"):
      zeros_sources.platt([file])

  def test_zeros_outside_their_block_are_refused(self):
    file = self._write("zeros_1.dat", _platt((14.0, 15.0, 0, self.deltas[0])))
    with self.assertRaisesRegex(ValueError, "outside its range"):
      zeros_sources.platt([file])

  def test_missing_files_are_named(self):
    with self.assertRaisesRegex(FileNotFoundError, "holds no .dat file"):
      zeros_sources.platt_files(str(self.folder))
    with self.assertRaisesRegex(FileNotFoundError, "nowhere is not a file"):
      zeros_sources.platt_files("nowhere")
    self._write("zeros.dat", b"")
    self._write("zeros_1.dat", b"")
    with self.assertRaisesRegex(ValueError, "no integer in its name"):
      zeros_sources.platt_files(str(self.folder))


if __name__ == "__main__":
  absltest.main()
