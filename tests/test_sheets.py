"""Tables that people edit: what a spreadsheet writes is read back; what cannot be is refused by file, line and way out."""

import csv
import io

import hard_tables
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exmus_lib import labels, sheets
from exmus_lib.labels import Labels

CELL = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)


@settings(deadline=None, max_examples=200)
@given(
    rows=st.lists(st.tuples(CELL, CELL, CELL), max_size=6),
    separator=st.sampled_from(",;\t"),
    mark=st.booleans(),
    end=st.sampled_from(["\n", "\r\n"]),
)
def test_what_was_written_is_read_back(tmp_path_factory, rows, separator, mark, end):
    path = tmp_path_factory.getbasetemp() / "table.csv"
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, delimiter=separator, lineterminator=end, quoting=csv.QUOTE_ALL)
    writer.writerows([("path", "Group ", "note"), *rows])
    path.write_bytes(("\ufeff" * mark + buffer.getvalue()).encode())
    table = sheets.table(path, "path", "group")
    assert list(table.columns) == ["path", "group", "note"]
    assert [tuple(row) for row in table.to_numpy()] == [row for row in rows if any(cell.strip() for cell in row)]


@settings(deadline=None, max_examples=300)
@given(
    data=st.binary(max_size=200),
    head=st.sampled_from([b"", b"path,group\n", b'path;group\n"', b"folder,exercise,muscles\n"]),
)
def test_any_bytes_are_read_or_refused_by_the_name_of_the_file(tmp_path_factory, data, head):
    path = tmp_path_factory.getbasetemp() / "any.csv"
    path.write_bytes(head + data)
    for read in (lambda: sheets.table(path, "path", "group"), lambda: labels.read(path)):
        try:
            assert isinstance(read(), Labels) or set(read()) >= {"path", "group"}
        except ValueError as error:
            assert str(path) in str(error)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"path,group\na.mp4,NA\n", None),
        ("path,group\nä.mp4,x\n".encode("latin-1"), r"not UTF-8 text \(line 2, byte 11\). Save it as CSV in UTF-8"),
        ("path,group\na.mp4,x\n".encode("utf-16"), "is UTF-16 text, not UTF-8. Save it as CSV in UTF-8"),
        ("path,group\na.mp4,x\n".encode("utf-16-le"), "zero bytes, as a workbook or UTF-16 does. Save"),
        (b'path,group\na.mp4,x\n"b.mp4,x\nc.mp4,y\n', r"line 3: a cell cannot be read .*written twice"),
        (b"path\na.mp4\n", 'no column group. Its first line is "path" and must be path,group'),
        (b"", "no column path, group. Its first line must be path,group"),
        (b"path,group,path\na,b,c\n", "the column path stands twice"),
        (b"path,group\na, b.mp4,x\n", r'line 2: 3 cells, where the first line names 2 columns.*"a, b"'),
        (
            b"path,group\na.mp4,x\n\nb.mp4,x\na.mp4,y\n",
            r'"a.mp4" has the group "x" on line 2 and "y" on line 5. Keep one',
        ),
        (b"path,group\na.mp4,x\na.mp4,x\n", None),
    ],
)
def test_a_manifest_is_refused_by_line_or_read(tmp_path, data, message):
    path = tmp_path / "MANIFEST.csv"
    path.write_bytes(data)

    def read() -> dict[str, str]:
        return (
            sheets.once(path, sheets.table(path, "path", "group"), ["path"], "group")
            .set_index("path")["group"]
            .to_dict()
        )

    if message is None:
        assert read() in ({"a.mp4": "NA"}, {"a.mp4": "x"})
    else:
        with pytest.raises(ValueError, match=message) as error:
            read()
        assert str(path) in str(error.value)


def test_files_mutated_from_seeds_are_read_or_refused_by_name(tmp_path):
    results = hard_tables.tables(tmp_path, seed=1, share=0.02)
    assert len(results) == 440 and {case: what for case, what in results.items() if what} == {}
