"""Edits of the digits' vectors, by the names of analyses that have not moved yet."""

from primelens.studies.addition.network import edit_digits, keep_first, removed

__all__ = ["edit_digits", "keep_first", "removed"]
