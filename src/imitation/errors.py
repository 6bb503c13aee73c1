"""The errors a user can cause, one sentence each.

Every class also derives from the built-in that the documented interface promises, so
``except ValueError`` written against release 1.0 keeps working. The command line prints
an ``ImitationError`` as one line and exits with status 2.
"""


class ImitationError(Exception):
    """Base of the errors that say what was expected, what came and what to do."""


class DataError(ImitationError, ValueError):
    """Demonstrations or other data supplied by the user are malformed."""


class ArtifactError(ImitationError, ValueError):
    """A saved policy, checkpoint or data set is missing, truncated or another kind."""


class UnsafeLoadError(ArtifactError):
    """Reading it could run code, which needs an explicit ``allow_pickle=True``."""


class ConfigError(ImitationError, ValueError):
    """A setting is unknown, has the wrong type or lies outside its range."""


class SettingTypeError(ConfigError, TypeError):
    """A setting has a type for which the documentation promises a TypeError."""


class LabelConflictError(ImitationError, ValueError):
    """A pair was judged before, is used for training, or is in other hands now."""


class UnknownPairError(ImitationError, LookupError):
    """A label queue holds no pair or verdict of that number."""


class MissingExtraError(ImitationError, ModuleNotFoundError):
    """An optional dependency is not installed."""


def missing_extra(package: str, extra: str) -> MissingExtraError:
    """Builds the error for an optional package that is not installed.

    Args:
        package: the package that could not be imported.
        extra: the extra of this distribution that installs it.

    Returns:
        An error whose one line holds the exact install command.
    """
    return MissingExtraError(
        f"{package} is not installed; run: pip install 'imitation[{extra}]'"
    )


def reason(error: BaseException) -> str:
    """Returns the first line of an error's text, or its name, to quote in one line."""
    text = str(error).strip()
    return text.splitlines()[0] if text else type(error).__name__
