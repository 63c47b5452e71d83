"""How far it has come, on a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["ProgressDisplay"]


class ProgressDisplay:
    """Show progress: a bar on a terminal, a plain line now and then elsewhere."""

    def __init__(self, console: Console) -> None:
        from rich import progress

        self.tasks: dict[str, progress.TaskID] = {}
        self.told: dict[str, int] = {}
        self.bar = progress.Progress(
            progress.TextColumn("{task.description}"),
            progress.BarColumn(),
            progress.MofNCompleteColumn(),
            progress.TimeElapsedColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )

    def __enter__(self) -> ProgressDisplay:
        self.bar.start()
        return self

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Tell how far it has come."""
        fifth = 5 * done // total
        if self.bar.disable and fifth > self.told.get(stage, 0):
            self.told[stage] = fifth
            self.bar.console.print(f"{stage}: {done} of {total}", highlight=False)
        if stage not in self.tasks:
            self.tasks[stage] = self.bar.add_task(stage, total=total)
        self.bar.update(self.tasks[stage], completed=done)

    def __exit__(self, *_: object) -> None:
        self.bar.stop()
