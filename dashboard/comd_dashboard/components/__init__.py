"""Parts of a page that Streamlit has not: cards with pictures, a tree, keys.

Each is a JavaScript module beside its Python. What they show comes as JSON and becomes text nodes
(`textContent`), never markup. All text has been through `plain` first.
"""
