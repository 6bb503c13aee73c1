"""The only module that knows Sacred: it runs a `Script` as a Sacred experiment.

Sacred supplies the grammar of the command line, the run directories and the capture of
the output. The settings come from typed dataclasses: Sacred is fed their defaults and
presets as plain dicts (so that ``print_config`` and ``print_named_configs`` show them),
and it is run with the complete settings that `Script.make_settings` has built and
checked, so what it stores in ``config.json`` is exactly what the command receives.
"""

import ast
import contextlib
import dataclasses
import importlib
import logging
import pathlib
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Generic, TextIO, TypeVar

from imitation.errors import ConfigError
from imitation.scripts import settings as typed
from imitation.scripts.command import CommandSettings, RunHandle, Script, stored_run
from imitation.scripts.command_line import guarded
from imitation.scripts.ingredients.logging import SETTINGS_FILE
from imitation.scripts.ingredients.wb import wandb_finish
from imitation.scripts.settings import Config, ConfigDict

S = TypeVar("S", bound=CommandSettings)

# Where the documented commands store their Sacred runs, from the current directory.
SACRED_ROOT = pathlib.Path("output", "sacred")

_NO_LITERAL = (ValueError, SyntaxError, MemoryError, RecursionError)


@dataclasses.dataclass(frozen=True)
class Invocation:
    """A parsed command line."""

    command: str
    """The command to run; Sacred's own (such as print_config) are possible."""

    config_updates: Config
    """The ``key=value`` arguments, nested."""

    named_configs: Sequence[str]
    """The other arguments after ``with``."""

    options: Config
    """Sacred's options, such as ``--unobserved``."""

    help_text: str | None = None
    """What to print instead of running anything."""


class SacredExperiment(Generic[S]):
    """Runs a script's commands under Sacred.

    It has the part of `sacred.Experiment` that users of the documented scripts call:
    `run`, `observers` and `path`. Sacred is imported on first use.
    """

    def __init__(self, script: Script[S]) -> None:
        self.script = script
        self.path = script.name
        self._experiment: object = None
        self._settings: S | None = None
        self._returned: object = None

    def main_console(self) -> None:
        """Runs the script with the arguments of this process and exits."""
        program = f"python -m imitation.scripts.{self.script.name}"
        sys.exit(self.run_line(sys.argv[1:], program))

    def run_line(
        self, arguments: Sequence[str], program: str, shown: str | None = None
    ) -> int:
        """Runs a command line."""

        def work() -> None:
            invocation = self.parse(arguments, program)
            if invocation.help_text is not None:
                print(invocation.help_text)
                return
            with self.stored_in(SACRED_ROOT / self.script.name):
                self.run(
                    invocation.command,
                    invocation.config_updates,
                    invocation.named_configs,
                    invocation.options,
                    shown,
                )

        debug = bool({"-d", "--debug", "-D", "--pdb"} & set(arguments))
        return guarded(work, debug=debug)

    @property
    def observers(self) -> list[Any]:
        """The Sacred observers of the runs; append to it to store them."""
        observers: list[object] = self._sacred().observers
        return observers

    def run(
        self,
        command_name: str | None = None,
        config_updates: Mapping[str, object] | None = None,
        named_configs: Sequence[str] = (),
        options: Mapping[str, object] | None = None,
        shown: str | None = None,
    ) -> Any:
        """Runs a command.

        None runs the default command. `shown` is the command whose settings
        print_config shows.

        Returns:
            The finished Sacred run: `config`, `result`, `status`, `info`.
        """
        script = self.script
        command = command_name or script.default_command
        experiment = self._sacred()
        if command is None or command not in experiment.commands:
            raise ConfigError(
                f"{script.name} needs a command, one of "
                f"{', '.join(script.commands)}; got {command!r}"
            )
        own = command in script.commands
        known = shown or script.default_command
        resolve_for = command if own else known or next(iter(script.commands))
        settings = script.make_settings(
            resolve_for,
            config_updates,
            named_configs,
            # Sacred's print_config may be asked for any command of the script.
            for_any_command=not own and known is None,
        )
        if own:
            script.check(settings, command)
        presets = script.presets()
        # Beside Sacred, whose config takes plain values only.
        self._settings, self._returned = settings, None
        with _quiet_sacred(), _log_to_stderr(self._logger()):
            done = experiment.run(
                command,
                config_updates=typed.to_config(settings),
                # Files are left out: Sacred would read them once more.
                named_configs=[name for name in named_configs if name in presets],
                # We have checked every key; Sacred only knows captured arguments.
                options={**(options or {}), "--force": True},
            )
        if own:
            # Sacred's copy is plain data; callers get the object, such as a table.
            done.result, self._returned = self._returned, None
        return done

    @contextlib.contextmanager
    def stored_in(self, directory: pathlib.Path) -> Iterator[None]:
        """Stores the runs that are made within the block."""
        from sacred.observers import FileStorageObserver

        observers = self.observers
        observer = FileStorageObserver(directory)
        observers.append(observer)
        try:
            yield
        finally:
            # By identity: Sacred's observers compare equal by directory.
            observers[:] = [item for item in observers if item is not observer]

    def parse(self, arguments: Sequence[str], program: str) -> Invocation:
        """Parses ``[COMMAND] [with UPDATE...] [options]``."""
        experiment = self._sacred()
        import docopt

        # Private in Sacred 0.8, whose public parser prints the usage and exits.
        format_usage: Callable[..., str] = importlib.import_module(
            "sacred.arg_parser"
        ).format_usage
        commands = dict(experiment.commands)
        options = experiment.all_cli_options
        usage = format_usage("dummy", self.script.doc, commands, options)
        if {"-h", "--help", "help"} & set(arguments):
            text = format_usage("PROGRAM", self.script.doc, commands, options)
            return Invocation("", {}, (), {}, text.replace("PROGRAM", program))
        words = list(arguments)
        # "COMMAND key=value" stands for "COMMAND with key=value".
        assigned = [i for i, w in enumerate(words) if "=" in w and w[0] != "-"]
        if assigned and "with" not in words:
            words.insert(assigned[0], "with")
        try:
            parsed = docopt.docopt(usage, words, default_help=False)
        except SystemExit as error:
            raise ConfigError(
                f"cannot read {' '.join(arguments)!r}; write: {program} "
                "[COMMAND] [with NAMED_CONFIG... KEY=VALUE...] [options], or --help"
            ) from error
        updates: ConfigDict = {}
        named: list[str] = []
        for word in parsed["UPDATE"]:
            key, equals, text = word.partition("=")
            if equals:
                value: object = text.strip()
                # A Python literal, or text that is none or nests too deeply for one.
                with contextlib.suppress(*_NO_LITERAL):
                    value = ast.literal_eval(text.strip())
                entry = typed.expand_dotted({key.strip(): value})
                updates = typed.merge(updates, entry)
            elif word:
                named.append(word)
        command = parsed["COMMAND"] or self.script.default_command or ""
        return Invocation(command, updates, named, parsed)

    def _sacred(self) -> Any:
        if self._experiment is None:
            with _quiet_sacred():
                self._experiment = self._build()
        return self._experiment

    def _build(self) -> object:
        sacred = importlib.import_module("sacred")
        # "fd", the default on Linux, redirects the descriptors of the whole process and
        # of its children.
        sacred.SETTINGS.CAPTURE_MODE = "sys"
        # The others are slow, and nothing reads what they find.
        sacred.SETTINGS.DISCOVER_SOURCES = "none"
        sacred.SETTINGS.DISCOVER_DEPENDENCIES = "none"
        sacred.SETTINGS.HOST_INFO.INCLUDE_CPU_INFO = False
        sacred.SETTINGS.HOST_INFO.INCLUDE_GPU_INFO = False
        from sacred.utils import apply_backspaces_and_linefeeds

        script = self.script
        root, ingredients = _ingredients(sacred, script.settings_cls, "")
        experiment = sacred.Experiment(
            script.name, ingredients=ingredients, save_git_info=False
        )
        experiment.logger = self._logger()
        # Otherwise every state of a progress bar is a line of cout.txt.
        experiment.captured_out_filter = apply_backspaces_and_linefeeds
        experiment.doc = script.doc
        # Sacred adds a random seed of its own unless there is one in the config.
        experiment.add_config({**root, "seed": None})
        for name, updates in script.settings_cls.named_configs.items():
            experiment.add_named_config(name, typed.expand_dotted(updates))
        for name, function in script.commands.items():
            experiment.command(self._sacred_command(name, function))
            # DISCOVER_SOURCES is off, so that scripts are added one by one.
            source = sys.modules[function.__module__].__file__
            if source is not None:
                experiment.add_source_file(source)
        experiment.default_command = script.default_command
        return experiment

    def _sacred_command(
        self, name: str, function: Callable[[S, RunHandle], object]
    ) -> Callable[..., Any]:
        """The function that Sacred calls: it hands typed settings to the command."""
        from imitation.util import artifacts

        # Sacred recognizes its own arguments by name.
        def command(_run: Any) -> Any:
            # Those that `run` has built and given to Sacred, which only stores them.
            settings = self._settings
            assert settings is not None, "Sacred runs commands through `run` alone"
            log_dir = settings.logging.log_dir
            assert log_dir is not None, "resolved settings name a directory"
            pathlib.Path(log_dir).mkdir(parents=True, exist_ok=True)
            artifacts.write_json(
                pathlib.Path(log_dir, SETTINGS_FILE),
                stored_run(self.script.name, name, settings),
            )
            try:
                result = function(settings, _run)
            except KeyboardInterrupt:
                self._logger().warning("To continue: %s with resume=%s", name, log_dir)
                raise
            finally:
                if "wandb" in settings.logging.formats:
                    wandb_finish(failed=sys.exc_info()[0] is not None)
            self._returned = result
            if not isinstance(result, Mapping):
                return None  # Sacred can store plain data only
            for key, value in typed.flatten(result):
                if not isinstance(value, str):
                    # metrics.json of Sacred holds numbers only.
                    _run.log_scalar(key, value, 0)
            return result

        # Sacred registers a function by its name, and prints its docstring.
        command.__name__ = name
        command.__doc__ = function.__doc__
        return command

    def _logger(self) -> logging.Logger:
        """The logger above all of ours, so that library messages are shown too."""
        return logging.getLogger("imitation")


def _ingredients(
    sacred: Any, cls: type, path: str
) -> tuple[dict[str, object], list[object]]:
    """The plain default settings of a class and a Sacred ingredient per group."""
    config = typed.to_config(cls())
    ingredients = []
    for field, sub_cls in typed.sub_settings(cls).items():
        full = f"{path}.{field}" if path else field
        own, inner = _ingredients(sacred, sub_cls, full)
        ingredient = sacred.Ingredient(full, ingredients=inner, save_git_info=False)
        ingredient.add_config(own)
        presets: Config = getattr(sub_cls, "named_configs", {})
        for name, updates in presets.items():
            ingredient.add_named_config(name, typed.expand_dotted(updates))
        ingredients.append(ingredient)
        # Sacred merges the config of an ingredient into the root itself.
        del config[field]
    return config, ingredients


@contextlib.contextmanager
def _quiet_sacred() -> Iterator[None]:
    """Ignores the warnings of Sacred 0.8.7 about its own dependencies."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="pkg_resources is deprecated")
        warnings.filterwarnings("ignore", category=DeprecationWarning, module="sacred")
        warnings.filterwarnings(
            "ignore", category=DeprecationWarning, module="pkg_resources"
        )
        yield


class _CurrentStderr(logging.StreamHandler[TextIO]):
    """A handler that writes to whatever standard error is now, captured or not."""

    def emit(self, record: logging.LogRecord) -> None:
        self.stream = sys.stderr
        super().emit(record)


class _ShortName(logging.Formatter):
    """``LEVEL - last part of the logger's name - message``."""

    def format(self, record: logging.LogRecord) -> str:
        name = record.name.rpartition(".")[2]
        return f"{record.levelname} - {name} - {super().format(record)}"


@contextlib.contextmanager
def _log_to_stderr(logger: logging.Logger) -> Iterator[None]:
    """Shows the messages of `logger` while a command runs."""
    level = logger.level
    handler = _CurrentStderr(sys.stderr)
    handler.setFormatter(_ShortName("%(message)s"))
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
