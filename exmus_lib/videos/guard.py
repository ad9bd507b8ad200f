"""Work on files that may be damaged, in processes that may die: what happens to one file never costs another.

A process does many files, one after the other. It is ended when it makes no progress (by the kernel's alarm, which also ends a
decoder that loops), may take so much memory and no more (RLIMIT_AS: a large allocation fails at once and is reported; watching
the resident size would come too late), and is replaced when it is gone. It is started by name: not forked, which may hang where
threads run, nor by multiprocessing, which would run the caller's script again. Modules that do the work import neither numpy nor
pandas, so that it starts within 0.2 s. Windows has no such alarm: there work is done in this process, unguarded.
"""

import os
import pickle
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection, Pipe, wait

from exmus_lib.videos import faults
from exmus_lib.videos.faults import VideoError

SECONDS = 20  # without progress
MEMORY = 4 << 30  # bytes: 8K video in 16 threads takes 3 GB
START = "import sys; from exmus_lib.videos import guard; guard.serve(*map(int, sys.argv[1:]))"
GUARDED = os.name == "posix"
_parent = 0  # the process served, in those that serve() runs in


def progress() -> None:
    """To be called at every step of work on a file. It means something in a guarded process only: that it is alive."""
    if _parent:
        if os.getppid() != _parent:
            os._exit(1)  # nobody waits for the result
        signal.alarm(SECONDS)


def each(function: Callable, jobs: Sequence[tuple]) -> Iterator[tuple[int, object]]:
    """The number of each job and what function(*job) returned, in the order in which they end; a VideoError in its place where
    it raised one or came to any other end. The first item of a job is the file. On all cores.

    OSError is raised: reading turns it into VideoError, so it means that nothing can be written. Use it with contextlib.closing.
    """
    if not GUARDED:
        yield from ((number, _unguarded(function, job)) for number, job in enumerate(jobs))
        return
    from joblib import cpu_count  # here, since the processes below import this module too

    waiting, busy = iter(range(len(jobs))), {}
    workers = [_Worker() for _ in range(min(cpu_count(), len(jobs)))]

    def give(worker: _Worker) -> None:
        if (number := next(waiting, None)) is not None:
            busy[worker.connection] = worker, number
            worker.send(function, jobs[number])

    try:
        for worker in workers:
            give(worker)
        while busy:
            for connection in wait(list(busy)):
                worker, number = busy.pop(connection)
                result = worker.receive(jobs[number][0])[1]
                if worker.gone:
                    workers.remove(worker)
                    worker.end()
                    workers.append(worker := _Worker())
                give(worker)
                yield number, result
    finally:
        for worker in workers:
            worker.end()


def stream(function: Callable, *arguments) -> Iterator:
    """What the generator function(*arguments) yields, made in a process of its own and a step ahead. Raises VideoError where it
    does, or comes to any other end; the first argument is the file. Use it with contextlib.closing. A process that came to a good
    end serves the next call."""
    if not GUARDED:
        yield from function(*arguments)
        return
    worker, good = _spare(), False
    try:
        worker.send(function, arguments)
        while True:
            more, item = worker.receive(arguments[0])
            if isinstance(item, VideoError):
                raise item
            if not more:
                good = not _SPARE
                return
            yield item
    finally:
        if good:
            _SPARE.append(worker)
        else:
            worker.end()


def _unguarded(function: Callable, job: tuple) -> object:
    try:
        return function(*job)
    except VideoError as error:
        return error


def _spare() -> "_Worker":
    """The process of the last stream, or a new one, which takes 0.2 s."""
    with suppress(IndexError):
        if (worker := _SPARE.pop()).process.poll() is None:
            return worker
        worker.end()
    return _Worker()


_SPARE: list["_Worker"] = []
if GUARDED:
    os.register_at_fork(after_in_child=_SPARE.clear)  # it serves one process


class _Worker:
    """A guarded process, seen from the process that it serves."""

    def __init__(self):
        self.connection, theirs = Pipe()
        self.errors = tempfile.TemporaryFile()
        self.gone = False
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-c", START, str(theirs.fileno()), str(os.getpid())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=self.errors,
                start_new_session=True,  # Ctrl-C reaches the process served, which ends this one
                # Arenas for each thread would count as memory taken.
                env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "MALLOC_ARENA_MAX": "2"},
            )

    def send(self, function: Callable, arguments: tuple) -> None:
        with suppress(BrokenPipeError):  # receive tells why
            self.connection.send_bytes(pickle.dumps((function, arguments)))

    def receive(self, file) -> tuple[bool, object]:
        """Whether more will come, and a result; a VideoError for the file where there is none."""
        try:
            kind, value = self.connection.recv()
        except (EOFError, ConnectionResetError):
            self.gone = True
            if (code := self.process.wait()) > 0:
                self.errors.seek(0)
                raise RuntimeError(
                    f"a process to read videos ended: {self.errors.read().decode(errors='replace')}"
                ) from None
            return False, VideoError(file, faults.of_end(code, SECONDS))
        if kind == "failed":
            raise value
        return kind == "item", VideoError(file, value) if kind == "refused" else value

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        self.connection.close()
        self.errors.close()


def serve(descriptor: int, parent: int) -> None:
    """Run in a guarded process: do what is asked for on a connection, until the process that asks is gone."""
    global _parent
    _limit()
    connection, _parent = Connection(descriptor), parent
    while True:
        try:
            while not connection.poll(SECONDS):
                if os.getppid() != parent:  # and what it forked holds the other end
                    return
            job = connection.recv_bytes()
        except EOFError:
            return
        for message in _outcomes(job):
            signal.alarm(0)  # who waits for the other side is not stuck
            try:
                connection.send(message)
            except BrokenPipeError:
                return
            progress()
        signal.alarm(0)


def _limit() -> None:
    import resource

    with open("/proc/self/statm") if os.path.exists("/proc/self/statm") else open(os.devnull) as file:
        taken = int((file.read().split() or [0])[0]) * resource.getpagesize()
    with suppress(ValueError, OSError):  # macOS knows the limit and may refuse to set it
        resource.setrlimit(resource.RLIMIT_AS, (taken + MEMORY, taken + MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _outcomes(job: bytes) -> Iterator[tuple[str, object]]:
    progress()
    try:
        function, arguments = pickle.loads(job)
        result = function(*arguments)
        if isinstance(result, Iterator):
            for item in result:
                yield "item", item
            result = None
        yield "done", result
    except VideoError as error:
        yield "refused", error.reason
    except MemoryError as error:
        yield "refused", faults.of_decoding(error)
    except OSError as error:
        yield "failed", OSError(error.errno, error.strerror or str(error), error.filename)  # PyAV's do not pickle
    except ImportError as error:
        yield "failed", ImportError(str(error))
    except Exception as error:  # whatever PyAV makes of odd content
        yield "refused", f"cannot be read: {type(error).__name__}: {error}"
