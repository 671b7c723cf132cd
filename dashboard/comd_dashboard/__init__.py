"""Streamlit pages over `comd_platform.reports`: they show, they never compute and never write.

`app.py` is what Streamlit runs, `launch.py` how `comd dashboard` starts it. A page is one file in
`views/` and one line in `views/__init__.py`; `panels/` are its parts, `charts/` draw rows of a
report, `data.py` reads them. Text that a model wrote goes through `st.text` or `st.dataframe`,
never through markdown.
"""
