"""Builds the wheel, installs it in a clean environment, uses it outside the checkout.

The clean environment holds the wheel and the packages that the wheel's own metadata
asks for, extras left out, and nothing else: each is linked from the environment that
runs this script. So a file missing from the wheel fails here, and so
does an import of a package that only developers have; and nothing is downloaded twice.
"""

import csv
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent

PROGRAM = """
import numpy as np
import imitation
from imitation.algorithms import bc
from imitation.data import rollout
from imitation.data.wrappers import RolloutInfoWrapper
from imitation.policies import experts
from imitation.util.util import make_vec_env

assert "site-packages" in imitation.__file__, imitation.__file__
rng = np.random.default_rng(0)
venv = make_vec_env(
    "CartPole-v1",
    rng=rng,
    n_envs=2,
    post_wrappers=[lambda env, _: RolloutInfoWrapper(env)],
)
expert = experts.load_expert("CartPole-v1", venv)
sample_until = rollout.make_sample_until(min_episodes=4)
trajectories = rollout.rollout(expert, venv, sample_until, rng=rng)
trainer = bc.BC(
    observation_space=venv.observation_space,
    action_space=venv.action_space,
    demonstrations=rollout.flatten_trajectories(trajectories),
    rng=rng,
)
trainer.train(n_batches=20, progress_bar=False)
"""


def needed(requirement: Requirement, seen: set[tuple[str, str]]) -> set[str]:
    """Collects the distributions that a requirement installs here.

    Args:
        requirement: what to install.
        seen: pairs (distribution, extra) already followed; extended in place.

    Returns:
        Canonical distribution names.
    """
    name = canonicalize_name(requirement.name)
    extras = {"", *requirement.extras}
    fresh = {extra for extra in extras if (name, extra) not in seen}
    seen.update((name, extra) for extra in fresh)
    found = {name}
    for line in metadata.requires(name) or [] if fresh else []:
        child = Requirement(line)
        if child.marker is None or any(
            child.marker.evaluate({"extra": extra}) for extra in fresh
        ):
            found |= needed(child, seen)
    return found


def link_distributions(names: set[str], site_packages: Path) -> None:
    """Links the files of installed distributions into another environment.

    A directory that only one distribution writes to is linked whole, others (namespace
    packages) file by file, so that nothing else comes along.
    """
    writers: dict[str, set[str]] = {}
    paths: dict[str, list[Path]] = {}
    for distribution in metadata.distributions():
        name = canonicalize_name(distribution.name)
        record = (distribution.read_text("RECORD") or "").splitlines()
        paths[name] = [Path(row[0]) for row in csv.reader(record)]
        for path in paths[name]:
            writers.setdefault(path.parts[0], set()).add(name)
    origin = Path(sysconfig.get_path("purelib"))
    for name in names:
        for path in paths[name]:
            alone = writers[path.parts[0]] == {name}
            link = Path(path.parts[0]) if alone else path
            target = site_packages / link
            if ".." not in path.parts and not os.path.lexists(target):
                target.parent.mkdir(parents=True, exist_ok=True)
                target.symlink_to(origin / link)


def main() -> None:
    """Builds, installs and uses the wheel; raises on the first failure."""
    with tempfile.TemporaryDirectory(prefix="imitation-wheel-") as name:
        outside = Path(name)
        source = outside / "source"
        shutil.copytree(
            ROOT / "src", source / "src", ignore=shutil.ignore_patterns("*.egg-info")
        )
        for file in ("pyproject.toml", "README.md", "LICENSE"):
            shutil.copy(ROOT / file, source)
        run = [sys.executable, "-m"]
        build = [*run, "build", "--wheel", "--no-isolation", "-o", name, str(source)]
        subprocess.run(build, check=True, stdout=subprocess.DEVNULL)
        shutil.rmtree(source)
        (wheel,) = outside.glob("*.whl")

        subprocess.run([*run, "venv", "--without-pip", outside / "clean"], check=True)
        python = outside / "clean" / "bin" / "python"
        install = [*run, "pip", "--python", str(python), "install", "-q", "--no-deps"]
        subprocess.run([*install, str(wheel)], check=True)
        (site_packages,) = outside.glob("clean/lib/python*/site-packages")
        link_distributions(
            needed(Requirement("imitation"), set()) - {"imitation"}, site_packages
        )

        environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
        program = outside / "program.py"
        program.write_text(PROGRAM)
        for command in (
            [outside / "clean" / "bin" / "imitation", "--help"],
            [python, program],
        ):
            subprocess.run(command, check=True, cwd=outside, env=environment)


if __name__ == "__main__":
    main()
