"""Fetching models from the Hugging Face hub, without a wait where there is no network.

`huggingface_hub` retries for over 20 seconds when it cannot connect. Here a single
short request decides, once per process, whether the hub answers.
"""

import functools
import pathlib
import threading

import huggingface_hub
from huggingface_hub import constants, errors

from imitation.errors import ArtifactError

# The hub's address: `https://huggingface.co`, unless `HF_ENDPOINT` is set.
ENDPOINT = constants.ENDPOINT

# Seconds to wait for the hub's first answer.
TIMEOUT_S = 3.0


def fetch(repo_id: str, filename: str) -> pathlib.Path:
    """Downloads a file of a model repository, or finds it in the local cache.

    Args:
        repo_id: `<organization>/<repository>`.
        filename: the file's path inside the repository.

    Returns:
        The path of the local copy.

    Raises:
        ArtifactError: the hub cannot be reached, or `HF_HUB_OFFLINE` is set, and there
            is no local copy; or the hub answers and has no such file for us.
    """
    online = not constants.HF_HUB_OFFLINE and is_reachable(ENDPOINT)
    try:
        return pathlib.Path(
            huggingface_hub.hf_hub_download(
                repo_id,
                filename,
                endpoint=ENDPOINT,
                etag_timeout=TIMEOUT_S,
                local_files_only=not online,
            )
        )
    except errors.LocalEntryNotFoundError as error:
        raise ArtifactError(
            f"the model hub {ENDPOINT} cannot be reached and {repo_id} is "
            "not in its local cache"
        ) from error
    except (errors.HfHubHTTPError, errors.EntryNotFoundError) as error:
        raise ArtifactError(
            f"the model hub {ENDPOINT} has no {filename} in {repo_id} that "
            f"we may read ({type(error).__name__})"
        ) from error


@functools.cache
def is_reachable(endpoint: str) -> bool:
    """Returns whether the hub answers within `TIMEOUT_S`; asks once per process."""
    answered = threading.Event()

    def ask() -> None:
        session = huggingface_hub.get_session()
        try:
            session.head(endpoint, timeout=TIMEOUT_S, follow_redirects=False)
        except Exception:  # any failure means that it is not reachable
            return
        answered.set()

    # In a thread, because a request's timeout does not bound the DNS lookup.
    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(TIMEOUT_S)
    return answered.is_set()
