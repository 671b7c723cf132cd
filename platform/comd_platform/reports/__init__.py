"""Every aggregate once, as SQL over the tables and views: what the CLI and the dashboard show.

A report is a function of a session that returns frozen dataclasses, one a row. A module is a topic:
`runs`, `summary`, `judge`, `progress`, `workers`, `difficulty`, `pools`, `evaluations`,
`training`, `lineages`. None writes, and none needs more than what a psql user may read.
"""
