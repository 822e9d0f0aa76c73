"""What a pool asks of a cluster, in words that know nothing of Ray."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from pipelines.workers.pulse import Counts


class CallFailed(Exception):
    """A call that gave no answer: why, as a slug and a sentence; `lost`: the actor is gone too."""

    def __init__(self, slug: str, why: str, *, lost: bool) -> None:
        super().__init__(slug, why)
        self.slug, self.why, self.lost = slug, why, lost


@dataclass(frozen=True)
class Place:
    """The node that an actor runs on, and the number of its process there."""

    node: str = ""
    pid: int = 0


class Cluster(Protocol):
    """Actors and calls are opaque. Nothing here may wait for long, whatever has died."""

    def hire(self) -> Any:
        """An actor that the cluster will place when it can."""

    def dismiss(self, actor: Any) -> None:
        """End an actor and what it does, also one that has no place yet."""

    def kill(self, place: Place) -> None:
        """End the process of an actor that was dismissed and may not hear of it."""

    def call(self, actor: Any, method: str, *arguments: Any) -> Any:
        """Begin a call: `place` (answers with its Place), `load`, `work` or `work_carefully`.

        `load` makes ready for the work of this run.
        """

    def rest(self, actor: Any) -> None:
        """Let an actor that stays for another run drop what it has loaded for this one."""

    def peek(self, actor: Any) -> Any:
        """Ask an actor what it has counted in its task so far, beside the call in flight."""

    def told(self, question: Any) -> Counts | None:
        """The answer to such a question; None while there is none, empty if none will come."""

    def ended(self, calls: Sequence[Any]) -> Sequence[Any]:
        """Those of the calls that have ended; waits a second for the first."""

    def answer(self, call: Any) -> Any:
        """What an ended call gave; CallFailed, or EngineError when its work cannot be loaded."""

    def dead_nodes(self) -> set[str]:
        """Nodes that are known to be dead."""

    def check(self) -> None:
        """EngineError when the cluster as a whole is lost."""

    def room(self) -> str:
        """What an actor asks for and what the nodes have, for people."""
