"""The product's core: everything but the widgets. It never imports streamlit."""
