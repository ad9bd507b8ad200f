"""Tables that people edit, as spreadsheets save them: one reader, whose errors name the file, the line and the way out."""

import codecs
import csv
from io import StringIO
from pathlib import Path

import pandas as pd

SAVE = "Save it as CSV in UTF-8 (a spreadsheet offers that) and try again."


def text(path: Path) -> str:
    """The text of a file in UTF-8, with or without a byte order mark. ValueError for anything else."""
    data = path.read_bytes()
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise ValueError(f"{path} is UTF-16 text, not UTF-8. {SAVE}")
    try:
        decoded = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ValueError(f"{path} is not UTF-8 text (line {line}, byte {error.start}). {SAVE}") from None
    if "\0" in decoded:
        raise ValueError(f"{path} is no text: it holds zero bytes, as a workbook or UTF-16 does. {SAVE}")
    return decoded


def delimiter(text: str) -> str:
    """What separates the cells of a CSV file, by its first line: a comma, a semicolon or a tab."""
    return max(",;\t", key=text.partition("\n")[0].count)


def rows(path: Path, columns: tuple[str, ...]) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """The names of the columns, in small letters, and each row that is not empty with the number of its first line.

    Cells are separated by commas, semicolons or tabs. ValueError where one of `columns` is missing or a name stands twice, and
    for quotes that never close.
    """
    content = text(path)
    reader = csv.reader(StringIO(content, newline=""), delimiter=delimiter(content), strict=True)
    lines, begins = [], 1
    try:
        for cells in reader:
            lines.append((begins, cells))
            begins = reader.line_num + 1
    except csv.Error as error:
        raise ValueError(
            f'{path}, line {begins}: a cell cannot be read ({error}). A quote (") opens a cell that another closes; one that is'
            ' part of a cell is written twice ("").'
        ) from None
    names = [name.strip().lower() for name in lines[0][1]] if lines else []
    while names and not names[-1]:
        names.pop()  # Excel makes all rows as long as the longest
    if missing := [name for name in columns if name not in names]:
        first = f'is "{content.splitlines()[0][:200]}" and ' if names else ""
        raise ValueError(f"{path}: no column {', '.join(missing)}. Its first line {first}must be {','.join(columns)}")
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"{path}: the column {twice[0]} stands twice in its first line. Remove one of them.")
    return names, [(line, cells) for line, cells in lines[1:] if any(cell.strip() for cell in cells)]


def table(path: Path, *columns: str) -> pd.DataFrame:
    """A table of text by the numbers of its lines; empty cells are "". Raises as `rows`, and for a row with too many cells."""
    names, lines = rows(path, columns)
    for line, cells in lines:
        if any(cell.strip() for cell in cells[len(names) :]):
            raise ValueError(
                f"{path}, line {line}: {len(cells)} cells, where the first line names {len(names)} columns. A cell in which the"
                f' separator stands needs quotes: "a{delimiter(text(path))} b".'
            )
    cells = [(row + [""] * len(names))[: len(names)] for _, row in lines]
    return pd.DataFrame(cells, columns=names, index=[line for line, _ in lines], dtype=str)


def once(path: Path, table: pd.DataFrame, key: list[str], value: str) -> pd.DataFrame:
    """The table without repeated rows of a `key`; ValueError names the lines where a key has two values."""
    for _, same in table[table.duplicated(key, keep=False)].groupby(key, sort=False):
        if same[value].nunique() > 1:
            (first, a), (other, b) = list(same[value].drop_duplicates().items())[:2]
            what = ", ".join(str(same[name].iloc[0]) for name in key)
            raise ValueError(
                f'{path}: "{what}" has the {value} "{a}" on line {first} and "{b}" on line {other}. Keep one.'
            )
    return table.drop_duplicates(key)
