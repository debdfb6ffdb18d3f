"""Plotly charts that are brought up to date in place: st.plotly_chart draws anew, and a viewer's zoom is gone."""
