"""A Sphinx extension: formulas become MathML when the book is built, which browsers draw by themselves, also offline."""

from docutils.nodes import SkipNode
from latex2mathml.converter import convert


def inline(writer, node) -> None:
    writer.body.append(convert(node.astext()))
    raise SkipNode


def block(writer, node) -> None:
    writer.body.append(f'<div class="formula">{convert(node.astext(), display="block")}</div>')
    raise SkipNode


def setup(app) -> dict[str, bool]:
    app.add_html_math_renderer("mathml", (inline, None), (block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
