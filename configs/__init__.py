"""Families of experiments, one to a file: `get_config(variant)` gives each of its VARIANTS.

GROUPS, where a file has them, are variants that are trained together: `--config=FAMILY:GROUP`.
"""

# Names of earlier revisions: what each alone is called now, and what it is with an argument.
EARLIER = {
  "addition_p10": ("addition:p10_published", "addition:p10_{}"),
  "addition_p113": ("addition:p113", "addition:p113,{}"),
  "addition_p53": ("addition:p53", "addition:p53,{}"),
  "addition_p97": ("addition:p97", "addition:p97,{}"),
  "primes_published": ("primes:published_a", "primes:published_{}"),
  "primes_small": ("primes:small_a", "primes:small_{}"),
  "text_imported": ("text:imported", "text:imported_{}"),
  "text_imported:sum": ("text:imported", ""),
  "text_learned": ("text:learned", "text:learned,{}"),
  "text_scale": ("text:scale_L2_D128", "text:scale_{}"),
  "text_sum": ("text:sum", "text:{}"),
  "text_sum:all": ("text:questions_all", ""),
  "zeros_bank:none": ("zeros_bank:baseline", ""),
  "zeros_baseline": ("zeros_bank:baseline", ""),
  "zeros_demo_e0": ("zeros_demo:e0", ""),
  "zeros_demo_postfix": ("zeros_demo:postfix", ""),
  "zeros_e0": ("zeros_published:e0", ""),
  "zeros_flash": ("zeros_bank:flash_memory_blind", "zeros_bank:flash_{}"),
  "zeros_guided:gpu_all": ("zeros_guided:gpu_every", ""),
  "zeros_leak": ("zeros_bank:leak_leaky_as_published_spacings_learned", "zeros_bank:leak_{}"),
  "zeros_long": ("zeros_small:long_none", "zeros_small:long_{}"),
  "zeros_postfix_e3": ("zeros_published:e3", ""),
  "zeros_postfix_e4": ("zeros_published:e4", ""),
  "zeros_postfix_e5": ("zeros_published:e5", "zeros_published:{}"),
  "zeros_prefix": ("zeros_published:e2", "zeros_published:{}"),
  "zeros_prefix:all": ("zeros_published:prefix_all", ""),
}
