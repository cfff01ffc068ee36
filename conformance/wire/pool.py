"""Every planned exchange is sent exactly once, before the cases that need it, by the first process that is free.

Requests that are planned to be sent together are: the process that first needs one of them acquires the slots for as
many of them as it can, and sends them at the same moment.

Processes coordinate through operating-system locks in the run folder: one lock for each key (its holder sends, all
others wait and then read the file) and one for each slot (the number of concurrent requests). A killed process loses
its locks, so that another one sends its requests.
"""

from __future__ import annotations

import contextlib
import errno
import threading
import time
from collections.abc import Iterator, Sequence
from typing import Protocol, overload

from conformance.exchange.exchange import Exchange
from conformance.exchange.not_sent import unbuilt
from conformance.exchange.planned import OutgoingRequest, PlannedRequest
from conformance.exchange.run_directory import RunDirectory, locked
from conformance.wire.limits import Stopped

#: Bytes of memory up to which the samples of a key stay in memory; larger ones are read again from the run folder.
_SMALL = 20_000

#: Seconds between looks for a free slot, at first and at most.
_SOON, _LATE = 0.002, 0.005

#: Seconds for which a request that is sent together with others keeps its slot until the others have one.
_GATHERING = 10.0


class CannotRecord(Exception):
    """The run folder cannot be written, so no further request is sent; the message is one line."""


class Sender(Protocol):
    """Makes an exchange of a request: the client, or a recording."""

    def send(self, outgoing: OutgoingRequest) -> Exchange:
        """The exchange; never raises because of the peer."""

    def stop(self) -> None:
        """Send no further request; threads that wait to send receive :class:`conformance.wire.limits.Stopped`."""

    def close(self) -> None:
        """Release connections and other resources."""


class _Earlier(Sequence[Exchange]):
    """The last exchanges of these keys, sent or awaited at once, and read from their files on access."""

    def __init__(self, pool: Pool, keys: Sequence[str]) -> None:
        self._pool, self._keys = pool, keys
        for key in keys:
            pool.get_or_send(key)

    def __len__(self) -> int:
        return len(self._keys)

    @overload
    def __getitem__(self, place: int) -> Exchange: ...

    @overload
    def __getitem__(self, place: slice) -> Sequence[Exchange]: ...

    def __getitem__(self, place: int | slice) -> Exchange | Sequence[Exchange]:
        if isinstance(place, slice):
            return [self._pool.get_or_send(key)[-1] for key in self._keys[place]]
        return self._pool.get_or_send(self._keys[place])[-1]


class Pool:
    """The planned exchanges of a run, sent ahead by ``concurrency`` threads."""

    def __init__(
        self,
        description: Sequence[PlannedRequest],
        folder: RunDirectory,
        sender: Sender,
        concurrency: int,
        turn: int = 0,
    ) -> None:
        self._asks = {planned.key: planned for planned in description}
        together = {planned.key for planned in description if planned.together}
        self._together = [one for one in description if one.together and not together & {*one.after}]
        self._gathered = threading.Barrier(1)  # Until the first group, so that there is one to abort.
        self._folder = folder
        self._sender = sender
        self._slots = concurrency
        self._completed: dict[str, tuple[Exchange, ...] | tuple[str, ...]] = {}
        # Those that are sent together wait for free slots: all are free before the others are sent.
        first = {key for planned in self._together for key in (planned.key, *planned.after)}
        self._todo = sorted(self._asks, key=lambda key: key not in first)
        if turn:  # Each worker begins at another request, so that they do not all wait for the same lock.
            cut = turn * self._slots % max(1, len(self._todo))
            self._todo = self._todo[cut:] + self._todo[:cut]
        self._changed = threading.Condition()
        self._threads = [threading.Thread(target=self._work, daemon=True) for _ in range(concurrency)]
        self._working = 0
        self._busy = 0
        self._stop = False
        #: The keys whose samples are known, in the order in which this process received them.
        self.arrived: list[str] = []
        self._broken: CannotRecord | None = None

    def start(self) -> None:
        """Begin to send ahead."""
        self._working = len(self._threads)
        for thread in self._threads:
            thread.start()

    def send_all(self) -> None:
        """Send everything in the calling thread: where nothing waits for a network, threads only delay each other."""
        self._working = 1
        self._work()

    def join(self) -> None:
        """Wait until all is sent."""
        for thread in self._threads:
            if thread.is_alive():
                thread.join()

    def close(self, wait: bool = True) -> None:
        """Stop after the exchanges under way, which other processes may wait for; or at once."""
        with self._changed:
            self._stop = True
            self._changed.notify_all()
        self._gathered.abort()
        if not wait:
            self._sender.stop()
            return
        self.join()
        self._sender.close()

    def get_or_send(self, key: str) -> tuple[Exchange, ...]:
        """The samples of a planned exchange, the one to evaluate last; sends them if no process has.

        :class:`CannotRecord` if the run folder cannot take it, :class:`Stopped` if the run sends nothing more.
        """
        if self._broken:
            raise self._broken
        completed = self._completed.get(key)
        if completed is None:
            planned: PlannedRequest | None = self._asks[key]
            samples: list[Exchange] = []
            keys: list[str] = []
            while planned:
                samples.append(self._get(planned))
                keys.append(planned.key)
                planned = planned.more(samples)
            small = sum(one.estimated_bytes for one in samples) <= _SMALL
            for one in samples:
                one.discard_decoded()
            self._complete(key, tuple(samples) if small else tuple(keys))
            return tuple(samples)
        return tuple(self._again(one) if isinstance(one, str) else one for one in completed)

    def has_result(self, key: str) -> bool:
        """Whether the samples of a key are known, so that :meth:`get_or_send` does not wait."""
        return key in self._completed

    def wait_for_arrival(self, known: int) -> bool:
        """Wait until more than ``known`` keys have arrived; False if they have not and no further request is sent
        ahead."""
        with self._changed:
            self._changed.wait_for(lambda: len(self.arrived) > known or not self._working)
            return len(self.arrived) > known

    def _complete(self, key: str, samples: tuple[Exchange, ...] | tuple[str, ...]) -> None:
        with self._changed:
            if key not in self._completed:
                self._completed[key] = samples
                self.arrived.append(key)
                self._changed.notify_all()

    def _again(self, key: str) -> Exchange:
        """A recorded exchange, read from its file as it is too large to stay in memory."""
        try:
            kept = self._folder.read(key)
            if kept is None:
                raise FileNotFoundError(errno.ENOENT, "an exchange was removed from it", str(self._folder.file(key)))
            return kept
        except OSError as error:
            raise self.give_up(error) from error

    def give_up(self, error: OSError) -> CannotRecord:
        """Send no further request, as the run folder cannot be written; the exception that is raised from now on."""
        self._broken = CannotRecord(f"run folder {self._folder.path} cannot be written: {error.strerror or error}")
        return self._broken

    def _get(self, planned: PlannedRequest) -> Exchange:
        try:
            kept = self._folder.read(planned.key)
            if kept is None and planned in self._together:
                self._send_together(planned)
                kept = self._folder.read(planned.key)
            if kept is None:
                before = _Earlier(self, planned.after)
                with locked(self._folder.locks / f"{planned.key}.lock"):
                    kept = self._folder.read(planned.key) or self._send(planned, before)
            return kept
        except OSError as error:
            raise self.give_up(error) from error

    def _send_together(self, needed: PlannedRequest) -> None:
        """Send one of the requests that are sent together, with as many of the others as there are slots."""
        for planned in self._together:  # What they build on is received before they take any slot.
            _Earlier(self, planned.after)
        with locked(self._folder.locks / "together.lock"):
            todo = [planned for planned in self._together if not self._folder.file(planned.key).exists()]
            if self._stop or needed not in todo:
                return
            todo = sorted(todo, key=lambda one: one is not needed)[: self._slots]
            barrier = self._gathered = threading.Barrier(len(todo))
            threads = [threading.Thread(target=self._take_part, args=(one, barrier), daemon=True) for one in todo]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()

    def _take_part(self, planned: PlannedRequest, barrier: threading.Barrier) -> None:
        """Acquire a slot, wait until the others have one, and send the request."""
        try:
            with self._slot():
                with contextlib.suppress(threading.BrokenBarrierError):
                    barrier.wait(_GATHERING)
                with locked(self._folder.locks / f"{planned.key}.lock", wait=False) as mine:
                    # Who sends it already waits for one of these slots.
                    if mine and not self._stop and not self._folder.file(planned.key).exists():
                        self._send(planned, _Earlier(self, planned.after), contextlib.nullcontext())
        except OSError as error:
            self.give_up(error)
        except (CannotRecord, Stopped):
            return  # Who needs one of the requests receives the same exception.

    def _send(
        self,
        planned: PlannedRequest,
        before: Sequence[Exchange],
        slot: contextlib.AbstractContextManager[None] | None = None,
    ) -> Exchange:
        if self._broken:  # Since this thread began to wait for its turn.
            raise self._broken
        outgoing = planned.build(before)
        if outgoing is None:
            exchange = unbuilt(planned.key, before)
        else:
            with slot or self._slot():
                if self._folder.halted():  # Since this thread began to wait for its slot.
                    raise Stopped
                exchange = self._sender.send(outgoing)
        self._folder.write(exchange)
        return exchange

    @contextlib.contextmanager
    def _slot(self) -> Iterator[None]:
        look = _SOON
        while True:
            for number in range(self._slots):
                with locked(self._folder.locks / f"slot-{number}", wait=False) as mine:
                    if mine:
                        yield
                        return
            time.sleep(look)
            look = min(2 * look, _LATE)

    def _work(self) -> None:
        try:
            while (key := self._next()) is not None:
                try:
                    self.get_or_send(key)
                finally:
                    with self._changed:
                        self._busy -= 1
        except (CannotRecord, Stopped):
            pass  # The thread that needs a further exchange raises the same exception.
        finally:
            with self._changed:
                self._working -= 1
                self._changed.notify_all()

    def _next(self) -> str | None:
        """The next key to send: the first one that waits for no exchange which is still to be received, so that a slow
        response delays only the requests that need it. None if there is nothing more to send."""
        with self._changed:
            while self._todo and not self._stop:
                ready = (key for key in self._todo if all(map(self.has_result, self._asks[key].after)))
                key = next(ready, None if self._busy else self._todo[0])
                if key is not None:
                    self._todo.remove(key)
                    self._busy += 1
                    return key
                self._changed.wait()
        return None
