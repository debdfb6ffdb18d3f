#!/bin/sh
# Takes out of installed packages what no service uses, which is a third of the dashboard's image: trim.sh SITE_PACKAGES
set -eu

cd "$1"
# their own tests, and headers for compilers
find . -type d \( -name tests -o -name include \) -prune -exec rm -rf {} +
# country names in other languages; notebooks; plotly's own copy of its script (Streamlit brings one) and its example data
rm -rf pycountry/locales pydeck/nbextension plotly/labextension plotly/package_data/datasets plotly/package_data/plotly.min.js
# Arrow's network protocol and stores (its core is linked with the other parts): Streamlit sends tables in Arrow's own format
rm -rf pyarrow/*flight* pyarrow/libarrow_s3* pyarrow/_s3fs* pyarrow/_gcsfs* pyarrow/_azurefs* pyarrow/_hdfs*
