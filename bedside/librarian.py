"""Who answers those that look back from elsewhere: one thread, so that nothing else waits."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from bedside import look_back
from bedside.errors import BedsideError
from bedside.events import ActionDone
from bedside.feed import Recording
from bedside.worker import Worker

MOST_WAITING = 16


@dataclass(frozen=True, slots=True)
class _Question:
    bed: str
    action_id: str
    user: str
    arguments: Mapping[str, Any]
    answer: Callable[[ActionDone], None]


class Librarian:
    """Takes questions from any thread; a fault in one is its answer and counts."""

    def __init__(self, recording: Recording, now_us: Callable[[], int]) -> None:
        self._recording = recording
        self._now_us = now_us
        self._worker = Worker("look back", self._look, capacity=MOST_WAITING)

    def start(self) -> None:
        """Begin to answer."""
        self._worker.start()

    def stop(self) -> bool:
        """Answer what waits, then end."""
        return self._worker.stop()

    @property
    def failures(self) -> int:
        """Faults since the start; to be too busy is none."""
        return self._worker.failures

    def ask(
        self,
        bed: str,
        action_id: str,
        user: str,
        arguments: Mapping[str, Any],
        answer: Callable[[ActionDone], None],
    ) -> None:
        """Take a question; `answer` hears what is told, on the librarian's thread."""
        question = _Question(bed, action_id, user, arguments, answer)
        if not self._worker.put(question):
            self._refuse(question, "many look back at once: ask again in a moment")

    def _look(self, question: _Question) -> None:
        try:
            told = look_back.answer(self._recording, question.bed, question.arguments)
        except BedsideError as error:
            self._refuse(question, str(error))
        except BaseException:
            self._refuse(question, "the station met an error in it: its log says which")
            raise
        else:
            question.answer(
                ActionDone(self._now_us(), question.action_id, question.user, True, told=told)
            )

    def _refuse(self, question: _Question, why: str) -> None:
        question.answer(ActionDone(self._now_us(), question.action_id, question.user, False, why))
