"""The documented miscellany: a table of names that live in topical modules."""

from imitation.util.integers import oric, split_in_half
from imitation.util.iterables import endless_iter, get_first_iter_element
from imitation.util.paths import (
    make_unique_timestamp,
    parse_optional_path,
    parse_path,
)
from imitation.util.policy_io import save_policy
from imitation.util.seeding import make_seeds
from imitation.util.tensors import safe_to_numpy, safe_to_tensor, tensor_iter_norm
from imitation.util.text import clear_screen, docstring_parameter
from imitation.util.vec_envs import make_vec_env

__all__ = [
    "clear_screen",
    "docstring_parameter",
    "endless_iter",
    "get_first_iter_element",
    "make_seeds",
    "make_unique_timestamp",
    "make_vec_env",
    "oric",
    "parse_optional_path",
    "parse_path",
    "safe_to_numpy",
    "safe_to_tensor",
    "save_policy",
    "split_in_half",
    "tensor_iter_norm",
]
