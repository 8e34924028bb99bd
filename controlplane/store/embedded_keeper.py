"""Keeps one embedded PostgreSQL running for exactly as long as somebody needs it.

`embedded.ensure` runs this file as a script, in a session of its own:

    embedded_keeper.py HOME SOCKET_DIR UID GID SERVER_LOCK_FD COMMAND...

It starts COMMAND, the server, and stops it as soon as no process holds HOME/client.lock. The
kernel drops a dead process's locks, so this also works for clients that were killed, and no
process id that was read from a file is ever trusted. Only the standard library is imported: the
script starts in a few milliseconds and needs no site-packages.
"""

import ctypes
import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

CLIENT_LOCK = "client.lock"
LOG = "server.log"
LOG_LIMIT_BYTES = 4 * 1024 * 1024
"""Twice this is kept at most: the log, and the one before it as server.log.1."""

POLL_S = 0.1
FAST_STOP_S = 60.0
FORCED_STOP_S = 5.0
PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36


def try_lock(lock_fd: int, operation: int) -> bool:
    """Take the kernel lock of an open file without waiting; False when another file holds it."""
    try:
        fcntl.flock(lock_fd, operation | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _tied_to_keeper() -> Callable[[], None] | None:
    """Return what the server's process does before it becomes PostgreSQL, to die with us."""
    if sys.platform != "linux":
        return None  # the next `ensure` finds the server without a keeper and stops it
    libc = ctypes.CDLL(None)
    # Backends outlive a killed postmaster until they next wait. As subreaper the keeper becomes
    # their parent and may end them: the id of a child that was not waited for is never reused.
    libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    keeper_pid = os.getpid()

    def tie() -> None:
        libc.prctl(PR_SET_PDEATHSIG, int(signal.SIGINT), 0, 0, 0)
        if os.getppid() != keeper_pid:  # it died before the line above could notice
            os._exit(1)

    return tie


def _children() -> list[int]:
    try:
        listed = Path(f"/proc/self/task/{os.getpid()}/children").read_text()
    except OSError:
        return []
    return [int(pid) for pid in listed.split()]


def _bury_backends() -> None:
    """Wait for the backends of a killed server; end those that keep computing."""
    give_up_at = time.monotonic() + FORCED_STOP_S
    kill_at = time.monotonic() + 1.0
    while time.monotonic() < give_up_at:
        try:
            buried, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if buried == 0:
            if time.monotonic() > kill_at:
                for pid in _children():
                    os.kill(pid, signal.SIGKILL)
            time.sleep(POLL_S / 5)


def _stop(server: subprocess.Popen[bytes]) -> None:
    """Ask for a fast shutdown (rolls back, writes a checkpoint), then for ever ruder ones."""
    for number, patience_s in (
        (signal.SIGINT, FAST_STOP_S),
        (signal.SIGQUIT, FORCED_STOP_S),
        (signal.SIGKILL, FORCED_STOP_S),
    ):
        server.send_signal(number)
        with suppress(subprocess.TimeoutExpired):
            server.wait(patience_s)
            return


def _bound_log(previous: Path) -> None:
    # The log is our standard output, and the server's: it is copied and cut because a file that
    # others have open cannot be exchanged for another.
    log_fd = sys.stdout.fileno()
    if os.fstat(log_fd).st_size > LOG_LIMIT_BYTES:
        previous.unlink(missing_ok=True)
        with previous.open("xb") as copy:
            copy.write(os.pread(log_fd, 2 * LOG_LIMIT_BYTES, 0))
        os.ftruncate(log_fd, 0)


def keep(home: Path, account: tuple[int, int], server_lock_fd: int, command: list[str]) -> None:
    """Run the server until it ends, nobody holds the client lock, or SIGTERM asks to stop."""
    stop_requests: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: stop_requests.append(number))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])  # the caller may have blocked some
    uid, gid = account
    other_user = uid != os.geteuid()
    with (home / CLIENT_LOCK).open("rb") as client_lock:
        server = subprocess.Popen(  # noqa: S603 - our own command line
            command,
            stdin=subprocess.DEVNULL,
            pass_fds=(server_lock_fd,),
            user=uid if other_user else None,
            group=gid if other_user else None,
            extra_groups=[] if other_user else None,
            preexec_fn=_tied_to_keeper(),  # noqa: PLW1509 - this process has one thread
        )
        while server.poll() is None and not stop_requests:
            if try_lock(client_lock.fileno(), fcntl.LOCK_EX):
                break  # and no client gets in before the server has stopped
            with suppress(OSError):  # such as a full disk; the server matters more
                _bound_log(home / f"{LOG}.1")
            time.sleep(POLL_S)
        if server.poll() is None:
            _stop(server)
        _bury_backends()


def main() -> None:
    """Detach from the caller, who waits for the first process only, and keep the server."""
    home, socket_dir = (Path(argument) for argument in sys.argv[1:3])
    uid, gid, server_lock_fd = (int(argument) for argument in sys.argv[3:6])
    if os.fork() > 0:
        os._exit(0)
    try:
        keep(home, (uid, gid), server_lock_fd, sys.argv[6:])
    finally:
        for left in list(socket_dir.glob(".s.PGSQL.*")):  # by a killed server
            left.unlink(missing_ok=True)
        with suppress(OSError):
            socket_dir.rmdir()


if __name__ == "__main__":
    main()
