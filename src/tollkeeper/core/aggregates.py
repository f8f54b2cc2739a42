"""Tables of counts that nobody stands out of: a threshold, and complementary suppression.

A table has two dimensions and its totals. A cell with fewer than ``k`` people is hidden, and
then as many others as it takes that no hidden one follows by subtraction from rows, columns and
totals: in each line that has hidden cells there are at least two, together of ``k`` people or
more, and each of them lies on a circle of hidden cells (an edge of the graph of rows and columns
that is on no circle is determined by the sums; Gusfield 1988).

Amounts are top-coded before they are summed: in each cell whoever stands out counts as much as
the :data:`PEERS`-th largest, or as the last of the largest twentieth. However much the largest
customer used, the table is the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

TOTAL = "*"
"""The name of the line of totals in either dimension; no row or column may be called so."""
PEERS = 3
"""So many people at least share the largest amount of a cell."""
_TOP_SHARE = 20

Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Cell:
    """``people`` counts each person once; ``amount`` is what is summed of them, top-coded."""

    people: int
    amount: int


@dataclass(frozen=True, slots=True)
class Table:
    """What may be shown: ``cells`` with the totals among them, which are ``hidden``, and how many amounts
    were ``coded`` down to those of others."""

    k: int
    cells: Mapping[Key, Cell]
    hidden: frozenset[Key]
    coded: int = 0

    @property
    def smallest(self) -> int | None:
        """People behind the smallest figure that is shown and is not nothing."""
        return min((cell.people for cell in self.cells.values() if cell.people), default=None)


def tabulate(facts: Iterable[tuple[str, str, int, int]], k: int) -> Table:
    """A table from (row, column, person, amount); the same person may come many times.

    Raises ``ValueError`` for a ``k`` below two, or a row or column called :data:`TOTAL`.
    """
    if k < 2:
        raise ValueError(f"a threshold of {k} hides nobody")
    shares: dict[Key, dict[int, int]] = {}
    for row, column, person, amount in facts:
        if TOTAL in (row, column):
            raise ValueError(f"a line may not be called {TOTAL!r}")
        cell = shares.setdefault((row, column), {})
        cell[person] = cell.get(person, 0) + amount
    people: dict[Key, set[int]] = {}
    amounts: dict[Key, int] = {}
    rows, columns = {TOTAL}, {TOTAL}
    coded = 0
    for (row, column), cell in shares.items():
        rows.add(row)
        columns.add(column)
        top = top_of(cell.values())
        coded += sum(amount > top for amount in cell.values())
        total = sum(min(amount, top) for amount in cell.values())
        for key in ((row, column), (row, TOTAL), (TOTAL, column), (TOTAL, TOTAL)):
            people.setdefault(key, set()).update(cell)
            amounts[key] = amounts.get(key, 0) + total
    full = {
        (row, column): Cell(len(people.get((row, column), ())), amounts.get((row, column), 0))
        for row in rows
        for column in columns
    }
    hidden = suppress({key: cell.people for key, cell in full.items()}, k)
    return Table(k, {key: cell for key, cell in sorted(full.items()) if key not in hidden}, hidden, coded)


def top_of(amounts: Iterable[int]) -> int:
    """The most that anybody counts in a cell of these amounts, one for each person."""
    ordered = sorted(amounts, reverse=True)
    place = max(PEERS, -(-len(ordered) // _TOP_SHARE))
    return ordered[min(place, len(ordered)) - 1]


def suppress(people: Mapping[Key, int], k: int) -> frozenset[Key]:
    """Which cells of a table, its totals among them, must not be shown."""
    hidden = {key for key, number in people.items() if 0 < number < k}
    while (line := _weak_line(people, hidden, k)) is not None:
        open_keys = [key for key in line if key not in hidden]
        if not open_keys:
            return frozenset(people)
        # the smallest that hides well; nothing at all is the last thing to hide, for it hides worst
        hidden.add(min(open_keys, key=lambda key: (people[key] == 0, TOTAL in key, people[key], key)))
    return frozenset(hidden)


def _lines(people: Mapping[Key, int]) -> list[list[Key]]:
    return [line for axis in (0, 1) for line in _along(people, axis)]


def _along(people: Mapping[Key, int], axis: int) -> list[list[Key]]:
    """Cells that have the name on ``axis`` in common: 0 gives rows, 1 gives columns."""
    found: dict[str, list[Key]] = {}
    for key in sorted(people):
        found.setdefault(key[axis], []).append(key)
    return list(found.values())


def _weak_line(people: Mapping[Key, int], hidden: set[Key], k: int) -> list[Key] | None:
    """A line from which a hidden one, or too few people, would follow; one with an open cell if any."""
    lines = [(line, [key for key in line if key in hidden]) for line in _lines(people)]
    # people may be in several cells, so that only the largest cell says for sure how many a rest has
    weak = [line for line, inside in lines if len(inside) == 1 or 0 < _most(people, inside) < k]
    if not weak:  # lines of two and more, and yet a cell of them may be determined
        bridges = _bridges(hidden)
        weak = [line for line, inside in lines if any(key in bridges for key in inside)]
    return next((line for line in weak if not hidden.issuperset(line)), weak[0] if weak else None)


def _most(people: Mapping[Key, int], keys: list[Key]) -> int:
    return max((people[key] for key in keys), default=0)


def _bridges(hidden: set[Key]) -> set[Key]:
    """Hidden cells that lie on no circle of hidden cells."""
    edges: dict[tuple[str, str], list[tuple[tuple[str, str], Key]]] = {}
    for key in sorted(hidden):
        one, other = ("row", key[0]), ("column", key[1])
        edges.setdefault(one, []).append((other, key))
        edges.setdefault(other, []).append((one, key))
    seen: dict[tuple[str, str], int] = {}
    found: set[Key] = set()

    def walk(node: tuple[str, str], came: Key | None) -> int:
        seen[node] = lowest = len(seen)
        for other, key in edges[node]:
            if key == came:
                continue
            if other in seen:
                lowest = min(lowest, seen[other])
                continue
            reached = walk(other, key)
            if reached > seen[node]:
                found.add(key)
            lowest = min(lowest, reached)
        return lowest

    for node in edges:
        if node not in seen:
            walk(node, None)
    return found


def follows(people: Mapping[Key, int], shown: Iterable[Key]) -> frozenset[Key]:
    """Cells that an attacker computes exactly from what is shown, by any combination of sums.

    Straight linear algebra over the equations of rows, columns and totals: slow, and the judge
    of :func:`suppress`, which goes another way.
    """
    unknown = sorted(set(people) - set(shown))
    column_of = {key: number for number, key in enumerate(unknown)}
    matrix: list[list[int]] = []
    for axis in (0, 1):
        for line in _along(people, axis):
            equation = [0] * len(unknown)
            for key in line:
                if key in column_of:
                    equation[column_of[key]] = -1 if key[1 - axis] == TOTAL else 1
            if any(equation):
                matrix.append(equation)
    return frozenset(unknown[number] for number in _determined(matrix, len(unknown)))


def _determined(matrix: list[list[int]], width: int) -> set[int]:
    """Unknowns with one solution: those alone in their equation once the matrix is reduced."""
    from_row = 0
    for column in range(width):
        pivot = next((i for i in range(from_row, len(matrix)) if matrix[i][column]), None)
        if pivot is None:
            continue
        matrix[from_row], matrix[pivot] = matrix[pivot], matrix[from_row]
        chosen = matrix[from_row]
        for number, other in enumerate(matrix):
            if number != from_row and other[column]:
                factor, base = other[column], chosen[column]
                matrix[number] = [
                    base * mine - factor * theirs for mine, theirs in zip(other, chosen, strict=True)
                ]
        from_row += 1
    return {row.index(next(filter(None, row))) for row in matrix if sum(map(bool, row)) == 1}
