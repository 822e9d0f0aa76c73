"""Near duplicates by what they say: pages and tiles that share nearly all runs of characters.

Perceptual hashes find pages that look alike. The same text in another layout, at another size or
out of another kind of file looks otherwise; its runs of characters are the same (`text_marks`). Two
texts with nine in ten runs in common share at least 3 of their 8 smallest hashes all but surely, so
pairs that do are candidates, and each is verified by all of its marks.
"""

from __future__ import annotations

import duckdb

# Of fewer marks nothing follows.
_KEYS, _SHARED_KEYS = 8, 3
# A run in more texts than this, such as a header's, is no key: what shares it is not alike by that.
_MOST_TEXTS = 200


def mark_text_twins(db: duckdb.DuckDBPyConnection, table: str, share: float, least: int) -> None:
    """Create `text_twins(id, twin_of)`: every row of `table` that says what a better one says.

    `table` has id, page (rows of one page are no twins), rank (the smaller is better) and marks, a
    sorted list of distinct hashes. Two are twins where the marks that both have are at least
    `share` of those that either has; both must have `least` marks.
    """
    # Copies of one text would all meet each other: the best stands for all.
    db.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE said AS
        SELECT id, page, rank, marks, first(id) OVER same AS leader, first(page) OVER same AS home
        FROM {table} WHERE len(marks) >= {least}
        WINDOW same AS (PARTITION BY marks ORDER BY rank)
        """
    )
    db.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE text_twins AS
        WITH keyed AS (
            SELECT id, page, rank, unnest(marks[1:{_KEYS}]) AS key FROM said WHERE leader = id),
        rare AS (
            SELECT key FROM keyed GROUP BY key HAVING count(*) BETWEEN 2 AND {_MOST_TEXTS}),
        met AS (
            SELECT a.id AS better, b.id
            FROM keyed a JOIN rare USING (key) JOIN keyed b USING (key)
            WHERE a.rank < b.rank AND a.page <> b.page
            GROUP BY a.id, b.id
            HAVING count(*) >= {_SHARED_KEYS}),
        counted AS (
            SELECT met.*, a.rank, len(list_intersect(a.marks, b.marks)) AS shared,
                   len(a.marks) + len(b.marks) AS marks
            FROM met JOIN said a ON a.id = met.better JOIN said b ON b.id = met.id),
        near AS (
            SELECT id, arg_min(better, rank) AS twin_of FROM counted
            WHERE shared >= {share} * (marks - shared) GROUP BY id)
        FROM near
        UNION ALL
        SELECT id, leader FROM said WHERE leader <> id AND home <> page
        UNION ALL
        -- A page at another size says what its leader says, and goes with it.
        SELECT said.id, near.twin_of FROM said JOIN near ON near.id = said.leader
        WHERE said.leader <> said.id AND home = page
        """
    )
    db.execute("DROP TABLE said")
