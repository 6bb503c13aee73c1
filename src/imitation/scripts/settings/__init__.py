"""Typed settings: nested frozen dataclasses built from plain nested mappings.

A command's settings are one frozen dataclass whose fields are numbers, strings,
mappings or further settings (one per ingredient). This package turns the mapping that
the command line produces into such an object and back, and explains in one line what
is wrong with a mapping that does not fit. It knows neither Sacred nor torch.
"""

from imitation.scripts.settings.arguments import (
    building,
    check_keys,
    load_class,
    load_classes,
)
from imitation.scripts.settings.conversion import ClassPath, describe, to_config
from imitation.scripts.settings.fields import (
    Rule,
    Settings,
    When,
    check_effects,
    check_entries,
    check_paths,
    declaration,
    group,
    require,
    setting,
)
from imitation.scripts.settings.nested import (
    Config,
    ConfigDict,
    Presets,
    expand_dotted,
    flatten,
    merge,
)
from imitation.scripts.settings.schema import (
    build,
    field_docs,
    field_types,
    sub_settings,
)

__all__ = [
    "ClassPath",
    "Config",
    "ConfigDict",
    "Presets",
    "Rule",
    "Settings",
    "When",
    "build",
    "building",
    "check_effects",
    "check_entries",
    "check_keys",
    "check_paths",
    "declaration",
    "describe",
    "expand_dotted",
    "field_docs",
    "field_types",
    "flatten",
    "group",
    "load_class",
    "load_classes",
    "merge",
    "require",
    "setting",
    "sub_settings",
    "to_config",
]
