"""The leaderboard as a page: one self-contained HTML file, readable without JavaScript, on paper and on a telephone.

`document` lays it out, `sheet` prepares one board, `forest` places the plots, `recalls` and `trust` make its tables,
`references` says what scores are seen against. Markup stands in the template and nowhere else.
"""

from mebench.page.document import Section, page_text

__all__ = ["Section", "page_text"]
