"""A reader that has gone, as `head -1` goes after a line: the command ends in silence, as others do."""

import os
import select
import sys

CLOSED = 141  # 128 + SIGPIPE: what shells say of a program that this signal has ended


def end_if_closed(error: BaseException) -> None:
    """End the process where an error says that nobody reads its output any more; other pipes break aloud."""
    if isinstance(error, BrokenPipeError) and _is_closed(sys.stdout.fileno()):
        sys.exit(CLOSED)


def exit_code(stop: SystemExit) -> int | str | None:
    """Give what a process that ends says: rich turns a closed pipe into 1, Lightning a Ctrl-C."""
    is_lost = drop_unread()
    if isinstance(stop.__context__, BrokenPipeError) or (is_lost and not stop.code):
        return CLOSED
    return 130 if isinstance(stop.__context__, KeyboardInterrupt) else stop.code


def drop_unread() -> bool:
    """Forget what is still to be written where nobody reads it: Python would complain when it ends.

    Returns:
        Whether something was lost.
    """
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return True
    return False


def _is_closed(descriptor: int) -> bool:
    watch = select.poll()
    watch.register(descriptor, 0)
    return any(events & select.POLLERR for _, events in watch.poll(0))
