"""Signs of life: actors at work are asked by turns, and whoever does not answer for long is lost.

A process that is stopped, a machine that swaps itself to death and one that vanished without a
word have in common that their calls just never end, for an hour if that is the limit of a task.
The question is what an actor has counted so far, so the answer is of use as well.
"""

from __future__ import annotations

import heapq
import math
import time

from pipelines.workers.calls import Call, Calls
from pipelines.workers.cluster import Cluster

# Each actor is asked about every ten seconds, and of few of them eight a second.
_ROUND_S = 10.0
_AT_LEAST = 8
# Two looks may lie far apart because this process itself stood still: then nobody was silent.
_MOST_BETWEEN_S = 2.0


class Heartbeat:
    """Looks once a second after calls that load work or do it."""

    def __init__(self, cluster: Cluster, silence_s: float) -> None:
        self._cluster = cluster
        self._silence_s = silence_s
        self._looked_s = time.monotonic()

    def look(self, calls: Calls, now: float) -> list[object]:
        """Hear what actors have counted, ask the next ones; the calls of those that are lost."""
        passed_s = min(now - self._looked_s, _MOST_BETWEEN_S)
        self._looked_s = now
        placed = [(ref, call) for ref, call in calls.items() if call.step != "place"]
        for _, call in placed:
            self._hear(call, passed_s)
        quiet = (call for _, call in placed if call.question is None)
        turn = max(_AT_LEAST, math.ceil(len(placed) / _ROUND_S))
        for call in heapq.nsmallest(turn, quiet, key=lambda call: call.asked_s):
            call.question, call.asked_s = self._cluster.peek(call.hired.actor), now
        return [ref for ref, call in placed if call.silent_s >= self._silence_s]

    def _hear(self, call: Call, passed_s: float) -> None:
        if call.question is None:
            return
        counts = self._cluster.told(call.question)
        if counts is None:
            call.silent_s += passed_s
        else:
            call.question, call.silent_s, call.counts = None, 0.0, counts or call.counts
