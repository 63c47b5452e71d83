"""The progress of a command."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["ProgressDisplay"]


class ProgressDisplay:
    """A progress bar on a terminal; elsewhere a line for each fifth of a stage."""

    def __init__(self, console: Console, hidden: bool = False) -> None:
        from rich import progress

        self._tasks: dict[str, progress.TaskID] = {}
        self._fifths: dict[str, int] = {}
        self._hidden = hidden
        self._bar = progress.Progress(
            progress.TextColumn("{task.description}"),
            progress.BarColumn(),
            progress.MofNCompleteColumn(),
            progress.TimeElapsedColumn(),
            progress.TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=hidden or not console.is_terminal,
        )

    def __enter__(self) -> ProgressDisplay:
        self._bar.start()
        return self

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Show how much of a stage is done."""
        if self._hidden or self._bar.console.file.closed:  # a target may have closed it
            return
        fifth = 5 * done // total
        if self._bar.disable and fifth > self._fifths.get(stage, 0):
            self._fifths[stage] = fifth
            self._bar.console.print(f"{stage}: {done} of {total}", highlight=False)
        if stage not in self._tasks:
            self._tasks[stage] = self._bar.add_task(stage, total=total)
        self._bar.update(self._tasks[stage], completed=done)

    def __exit__(self, *_: object) -> None:
        self._bar.stop()
