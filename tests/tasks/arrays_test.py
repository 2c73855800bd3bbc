"""Arrays are what they declare, and no more is unpacked than they declare."""

import io
import tempfile
import zipfile
from pathlib import Path

import numpy as np
from absl.testing import absltest, parameterized
from primelens.tasks import arrays

WHOLE = {
  "x_SxN": np.arange(6.0).reshape(2, 3),
  "turned": np.asfortranarray(np.arange(6).reshape(2, 3)),
  "nothing": np.zeros((0, 3)),
  "words": np.array(["ab", "ä"]),
  "number": np.float32(3),
  "flags": np.array([True, False]),
  "complex": np.array([1j, 2]),
  "half": np.ones((1, 1, 2), np.float16),
  "bytes": np.array([1, 255], np.uint8),
}


class ArraysTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.path = Path(self.enterContext(tempfile.TemporaryDirectory())) / "a.npz"

  @parameterized.parameters(np.savez, np.savez_compressed)
  def test_they_are_those_of_numpy(self, save):
    save(self.path, **WHOLE)
    found = arrays.read(self.path)
    self.assertEqual(list(found), list(WHOLE))
    for name, value in WHOLE.items():
      np.testing.assert_array_equal(found[name], value)
      self.assertEqual(found[name].dtype, value.dtype)
    found["x_SxN"][0, 0] = 7  # they may be written to

  def test_limit(self):
    np.savez_compressed(self.path, a=np.zeros(100_000))
    self.assertLess(self.path.stat().st_size, 2_000)
    with self.assertRaisesRegex(ValueError, "a.npz is not .* holds 800,128 bytes; at most 9,999"):
      arrays.read(self.path, limit=9_999)

  def test_more_than_is_declared_is_not_unpacked(self):
    packed = io.BytesIO()
    np.savez_compressed(packed, a=np.zeros(100_000))
    content = bytearray(packed.getvalue())
    at = content.find(b"PK\x01\x02") + 24  # the size in the list at the end
    content[at : at + 4] = (128 + 80).to_bytes(4, "little")
    with self.assertRaisesRegex(ValueError, "not those of its shape|Bad CRC"):
      arrays.unpack(io.BytesIO(content), limit=9_999)

  def test_two_of_one_name(self):
    with self.assertWarns(UserWarning), zipfile.ZipFile(self.path, "w") as archive:
      archive.writestr("a.npy", b"1")
      archive.writestr("a.npy", b"2")
    with self.assertRaisesRegex(ValueError, "two of its arrays have one name"):
      arrays.read(self.path)

  def test_another_compression(self):
    with zipfile.ZipFile(self.path, "w", zipfile.ZIP_LZMA) as archive:
      archive.writestr("a.npy", b"words")
    content = self.path.read_bytes().replace(b"\x0e\x00\x00\x00", b"\x63\x00\x00\x00")
    self.path.write_bytes(content)
    with self.assertRaisesRegex(ValueError, "a.npz is not a readable NPZ"):
      arrays.read(self.path)

  def test_no_archive(self):
    self.path.write_bytes(b"no archive")
    with self.assertRaisesRegex(ValueError, "a.npz is not a readable NPZ: File is not a zip file"):
      arrays.read(self.path)


if __name__ == "__main__":
  absltest.main()
