"""What a module requires, as a tree for people."""

from collections import deque

from flux.base.modprobe import Modprobe


class Branch:
    """A module or service, and what it requires."""

    def __init__(self, name: str) -> None:
        self.label = name
        self.branches: list[Branch] = []

    def lines(self) -> list[str]:
        """This one and all below it."""
        made = [self.label]
        for branch in self.branches:
            last = branch is self.branches[-1]
            first, *rest = branch.lines()
            made.append(f"{'└── ' if last else '├── '}{first}")
            made += [f"{'    ' if last else '│   '}{line}" for line in rest]
        return made


def tree(table: Modprobe, name: str, full: bool = False) -> str:
    """The tree of a module or service; without `full` each is shown once, where it is nearest to the top."""
    root = Branch(name)
    todo, seen = deque([(root, name)]), {table.find(name).name}
    while todo:
        branch, wanted = todo.popleft()
        entry = table.find(wanted)
        if entry.name != wanted:
            branch.label = f"{wanted} ({entry.name})"
        for required in entry.requires:
            found = table.find(required).name
            if full or found not in seen:
                seen.add(found)
                branch.branches.append(Branch(required))
                todo.append((branch.branches[-1], required))
    return "\n".join(root.lines())
