"""Rows of a report in, an Altair chart out: no reading, no Streamlit."""
