"""Texts that break careless writers of DOT, SVG or HTML."""

HOSTILE = [
    '"',
    "\\",
    "\\N \\G \\l \\n",
    "<b>bold</b>",
    "<<B>x</B>>",
    "{a|b}",
    "<p0> a | { b }",
    "a:b:c",
    "<script>alert(1)</script>",
    "]]><!-- --><![CDATA[",
    "a\x00b\x1b[31m\x7f",
    "line\nbreak\ttab\r",
    "&amp; &#60; &",
    "';--",
    "日本語 é → ∂ \U0001f600",
    "\u202eright to left",
    "\ud800 \ufffe",
    "x" * 20_000,
]
